package activities

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// Syncs of branches become one of a set, and that becomes one of a branch again: what the destination has stays, each branch
// follows whichever sync has it, and the set deletes only what it has put there itself.
func TestSetTakesOverBranchesAndBack(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.consumer.DeleteRefs, r.consumer.MaxDeletedShare = true, 1
	atDestination := func() string {
		out, err := r.destination.Git(t.Context(), destinationRepo, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads", "refs/tags")
		require.NoError(t, err)
		return strings.Join(strings.Fields(out), " ")
	}
	mirrors := func(syncs ...project.Sync) {
		r.configure(syncs...)
		r.producer.syncCache = syncCache{}
		awaitNextSecond() // what two configurations upload in one second has no order between their destinations
		r.produce()
		r.consume()
		require.Empty(t, r.planPushes().Moves)
	}
	main, old, set := pair("main", "main"), pair("old", "old"), pair("refs/*", "refs/*")
	r.commitOn("main", random(10_000))
	r.atSource("branch", "old", "main")
	mirrors(main, old)
	require.Equal(t, "main old", atDestination())

	r.atSource("branch", "new", "main")
	r.atSource("tag", "v1", "main")
	mirrors(set)
	require.Equal(t, "main new old v1", atDestination())

	r.commitOn("main", "two")
	r.atSource("branch", "-D", "old")
	r.atSource("branch", "-D", "new")
	mirrors(set)
	require.Equal(t, "main old v1", atDestination(), "another sync has put the branch there, and it has never moved")

	tip := r.commitOn("main", "three")
	mirrors(main)
	require.Equal(t, "main old v1", atDestination())
	now, err := r.destination.Git(t.Context(), destinationRepo, "rev-parse", "main")
	require.NoError(t, err)
	require.Equal(t, tip, now)
}
