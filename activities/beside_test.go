package activities

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Another pair mirrors the same branch through a bucket of its own, and pushes with force, as the predecessor does.
func TestAnotherPairOnTheSameBranch(t *testing.T) {
	t.Parallel()
	for name, newRig := range map[string]func(*testing.T) *rig{"verified": newTrustedRig, "unverified": newRig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			otherPushes := func(commit string) {
				t.Helper()
				r.atSource("push", "--quiet", "--force", r.destination.Dir(destinationRepo), commit+":"+r.sync.Destination.Ref())
			}
			first := r.commit("one")
			r.produce()
			otherPushes(first)
			for _, pushed := range r.consume() { // to note what it has looked at
				require.Equal(t, "already at "+first[:7], pushed.Summary)
			}

			second := r.commit("two")
			r.produce()
			require.Equal(t, first, r.arriveAt(second).Old)
			otherPushes(second)
			page := r.planPushes()
			require.Empty(t, page.Moves)
			require.Equal(t, 1, page.UpToDate)

			otherPushes(first) // late
			require.Equal(t, first, r.arriveAt(second).Old)
		})
	}
}
