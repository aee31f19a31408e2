package activities

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whatever else stands in the guard's folder, and in whatever order it is listed, the latest time that can be true counts.
// All others go.
func TestLatestTimeCounts(t *testing.T) {
	t.Parallel()
	const prefix = ownRefs + "/applied/main/"
	now := time.Unix(1000, 0)
	at := func(seconds int64) string { return fmt.Sprintf("%sat-%d", prefix, seconds*1e9) }
	refs := []string{at(10), at(30), at(20), at(1001), at(-5), prefix + "at-x", prefix + "at-7/x", prefix + "object-7", prefix + "object-8/x",
		prefix + "sub/at-40", ownRefs + "/applied/mainline/at-40"} // those of branches main/sub and mainline
	for range 2 {
		m := replayGuard{enabled: true, prefix: prefix}
		var unwanted, foreign []string
		for _, ref := range refs {
			if !m.addRef(ref, "c", now, func(ref, _ string) { unwanted = append(unwanted, ref) }) {
				foreign = append(foreign, ref)
			}
		}
		require.Equal(t, at(30), m.ref)
		require.True(t, m.applied.Equal(time.Unix(30, 0)))
		require.ElementsMatch(t, []string{at(10), at(20), at(1001), at(-5), prefix + "at-x", prefix + "at-7/x", prefix + "object-8/x"}, unwanted)
		require.ElementsMatch(t, []string{prefix + "sub/at-40", ownRefs + "/applied/mainline/at-40"}, foreign)
		require.Len(t, m.objects, 1)
		slices.Reverse(refs)
	}

	before := replayGuard{enabled: true, prefix: prefix}
	require.True(t, before.addRef(at(-5), "c", now, func(string, string) {}))
	require.False(t, before.proven(), "no producer has made anything before 1970")

	// One push does not have to delete any number of notes along with what it moves.
	m := replayGuard{enabled: true, prefix: prefix}
	unwanted := 0
	for i := range 2 * maxObjectNotes {
		require.True(t, m.addRef(fmt.Sprint(prefix, "object-", i), "c", now, func(string, string) { unwanted++ }))
	}
	require.Len(t, m.objects, maxObjectNotes)
	require.Equal(t, maxObjectNotes, unwanted)
}
