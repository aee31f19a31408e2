package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/testserver/oldproducer"
)

// The predecessor goes on to upload while our producer does, too: the newest wins, and nothing of either's breaks the other's.
func TestNewestOfTwoProducersWins(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inRealTime()
	r.consumer.ReadPredecessor = true
	r.commit("one")
	ours := r.produce()[0]
	second := r.commit("two")
	awaitNextSecond()
	old := r.predecessor(oldproducer.Form{})
	r.arriveAt(second)
	require.Empty(t, must(r, r.producer.Prune, PruneRequest{}).Keys)
	again := r.produce()
	require.Len(t, again, 1)
	require.Empty(t, again[0].ID.Base)
	require.Equal(t, second, again[0].ID.Commit)
	require.ElementsMatch(t, []string{ours.Key, old.Key}, must(r, r.producer.Prune, PruneRequest{}).Keys)
	require.Empty(t, r.planPushes().Moves)
}

// An upload of the predecessor between the plan of ours and its end comes first, as one of any other producer would.
func TestPredecessorOvertakes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inRealTime()
	r.commit("one")
	u := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
	object := must(r, r.encrypt, must(r, r.pack, must(r, r.clone, u)))
	r.predecessor(oldproducer.Form{})
	fails(r, "Overtaken", r.upload, object)
}

// An object of the first versions has a key like one of ours, and an increment is planned on it. What our producers keep with
// theirs tells them apart: a snapshot takes its place, and the upload says why.
func TestIncrementIsNotMadeOnUnmarkedObjects(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit(random(50_000))
	old := r.predecessor(oldproducer.Form{BranchKey: true})
	second := r.commit("two")
	u := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
	require.Equal(t, old.Commit, u.Base)
	uploaded := must(r, r.upload, must(r, r.encrypt, must(r, r.pack, must(r, r.clone, u))))
	require.Empty(t, uploaded.ID.Base)
	require.Contains(t, uploaded.Summary, "a snapshot in the place of an increment on "+plan.Short(old.Commit)+", as no producer has marked "+old.Key)
	r.arriveAt(second)
	third := r.commit("three")
	again := r.produce()[0]
	require.Equal(t, second, again.ID.Base)
	require.NotContains(t, again.Summary, "marked")
	r.arriveAt(third)
}

// Two runs that were planned at the same time upload the same object one after the other, the second by a clock that is
// behind. It says nevertheless that it was made later, so that no consumer takes it for an old one that was put back.
func TestSameObjectIsMadeLater(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit(random(20_000))
	r.produce()
	tip := r.commit("two")
	planned := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
	first := r.complete(must(r, r.clone, planned))
	r.publish()
	r.producer.Clock = func() time.Time { return time.Now().Add(-2 * time.Minute) }
	second := r.complete(must(r, r.clone, planned))
	require.Equal(t, first.Key, second.Key)
	require.True(t, second.CreatedAt.After(first.CreatedAt))
	require.Empty(t, r.plans(PlanRequest{}).Failed)
	r.consume()
	require.Equal(t, tip, r.tip())
}
