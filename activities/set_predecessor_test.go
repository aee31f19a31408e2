package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// mirrors has both sides do what there is to do with the syncs, after which the destination has the source's refs.
func (r *rig) mirrors(syncs ...project.Sync) {
	r.Helper()
	r.configure(syncs...)
	r.producer.syncCache = syncCache{}
	awaitNextSecond() // what two configurations upload in one second has no order between their destinations
	r.produce()
	r.consume()
	page := r.planPushes()
	require.Empty(r, page.Moves)
	require.Empty(r, page.Failed)
	r.sameRefs("")
}

// sameRefs requires that the destination's branches and tags are those of the source.
func (r *rig) sameRefs(what string) {
	r.Helper()
	refs := []string{"for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags"}
	want, err := r.source.Git(r.Context(), sourceRepo, refs...)
	require.NoError(r, err)
	got, err := r.destination.Git(r.Context(), destinationRepo, refs...)
	require.NoError(r, err)
	require.Equal(r, want, got, what)
}

// A set takes over from the predecessor's objects of its branches, also from one that is uploaded later.
func TestSetTakesOverFromThePredecessor(t *testing.T) {
	t.Parallel()
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			r.consumer.Verifier, r.consumer.ReadPredecessor = sign.Unverified(), true
			r.consumer.DeleteRefs, r.consumer.MaxDeletedShare = true, 1
			r.sync = pair("main", "main")
			set := pair("refs/*", "refs/*")
			r.commitOn("main", random(10_000))
			r.arriveAt(r.predecessor(form).Commit)

			r.atSource("tag", "v1", "main")
			r.mirrors(set)

			r.atSource("tag", "v2", "main")
			r.produce()
			awaitNextSecond()
			r.predecessor(form)
			require.Empty(t, r.consume(), "the set has an older object")
			r.mirrors(set)

			r.commitOn("main", "two")
			r.atSource("tag", "-d", "v1")
			r.mirrors(set)
		})
	}
}

// Sets are not written for the predecessor's consumer. What they have in the bucket stops that one, and goes as what is no longer
// configured does.
func TestSetIsNotWrittenForThePredecessor(t *testing.T) {
	t.Parallel()
	r, theirs := newPredecessorRig(t, "main")
	r.producer.WritePredecessor, r.consumer.ReadPredecessor = false, true
	set, branch := pair("refs/*", "refs/*"), r.sync
	r.commitOn("main", random(10_000))
	r.atSource("tag", "v1", "main")
	r.mirrors(set)
	ofSet := r.keys()

	r.producer.WritePredecessor = true
	page := must(r, r.producer.PlanUploads, PlanRequest{})
	require.Empty(t, page.Moves)
	require.Len(t, page.Failed, 1)
	require.Equal(t, plan.KindPredecessorBranch, page.Failed[0].Kind)
	fails(r, plan.KindPredecessorBranch, r.clone, plan.Upload{Sync: set})
	require.Equal(t, ofSet, r.keys())

	tip := r.commitOn("main", "two")
	r.mirrors(branch)
	require.ErrorContains(t, theirs.Cycle(t.Context(), r.bodies()), "gzip: invalid header", "it stops at ours")
	absent := away(time.Now().Add(-time.Hour), set.Destination)
	require.Equal(t, ofSet, must(r, r.producer.Prune, PruneRequest{Absence: absent}).Keys)
	require.NoError(t, theirs.Cycle(t.Context(), r.bodies()))
	require.Equal(t, tip, r.tip())

	r.producer.WritePredecessor = false
	r.atSource("tag", "v2", "main")
	r.mirrors(set)
}
