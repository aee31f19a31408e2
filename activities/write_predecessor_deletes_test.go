package activities

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/object"
)

// An upload deletes what was there before it and is as it was listed, and no more than what a cycle does, however much somebody has put
// below the destination's keys.
func TestUploadForThePredecessorDeletesWhatWasBefore(t *testing.T) {
	t.Parallel()
	r, _ := newPredecessorRig(t, "stable")
	key := func(n int) string {
		key, err := object.ID{Destination: r.sync.Destination, Commit: fmt.Sprintf("%040x", n)}.PredecessorKey()
		require.NoError(t, err)
		return key
	}
	upload := func(n int) placement {
		awaitNextSecond()
		r.put(key(n), nil)
		return placement{producer: r.producer, key: key(n), UploadInput: UploadInput{ID: object.ID{Destination: r.sync.Destination}}}
	}
	upload(1)
	second := upload(2)
	upload(3)
	require.NoError(t, second.deleteEarlier(t.Context()))
	require.ElementsMatch(t, []string{key(2), key(3)}, r.keys(), "another producer's is newer")

	r.commit("one")
	for n := range maxPruned {
		r.put(key(100+n), nil)
	}
	awaitNextSecond()
	uploaded := r.produce()
	require.Len(t, uploaded, 1)
	require.Len(t, r.keys(), 3)
	require.Contains(t, r.keys(), uploaded[0].Key)
	require.Len(t, must(r, r.producer.Prune, PruneRequest{}).Keys, 2, "the others go at the end of the cycle")
	require.Equal(t, []string{uploaded[0].Key}, r.keys())
}

// A listing that is behind shows an object that has been uploaded again since: it stays.
func TestUploadForThePredecessorLeavesWhatHasChanged(t *testing.T) {
	t.Parallel()
	r, _ := newPredecessorRig(t, "stable")
	r.commit("one")
	old := r.produce()[0]
	r.commit("two")
	newest := r.produce()[0]
	r.put(old.Key, nil)
	awaitNextSecond()
	r.put(newest.Key, nil)
	r.lag.freeze()
	placed := placement{producer: r.producer, key: newest.Key, UploadInput: UploadInput{ID: newest.ID}}
	_, _, err := placed.findNewer(t.Context()) // lists what is below
	require.NoError(t, err)
	awaitNextSecond()
	r.put(old.Key, nil)
	require.NoError(t, placed.deleteEarlier(t.Context()))
	require.Len(t, r.keys(), 2)
}

// Between an upload and the deletion of what was before, a producer may be killed: the step that is tried again deletes it, or the
// next cycle does.
func TestKilledBeforeItDeletedForThePredecessor(t *testing.T) {
	t.Parallel()
	for name, goOn := range map[string]func(r *rig, p producing){
		"the step is tried again": func(r *rig, p producing) { must(r, r.upload, p) },
		"the next cycle": func(r *rig, _ producing) {
			page := must(r, r.producer.PlanUploads, PlanRequest{})
			require.Empty(r, page.Moves)
			require.Equal(r, 1, page.Superseded, "by which the cycle knows that there is something to delete")
			require.Len(r, must(r, r.producer.Prune, PruneRequest{}).Keys, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, theirs := newPredecessorRig(t, "stable")
			r.commit("one")
			r.produce()
			second := r.commit("two")
			u := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
			p := must(r, r.encrypt, must(r, r.pack, must(r, r.clone, u)))
			run, err := r.producer.Staging.Run(p.Staged.Run)
			require.NoError(t, err)
			file, err := run.Open(objectFile)
			require.NoError(t, err)
			defer file.Close()
			key, err := p.Bundle.ID.PredecessorKey()
			require.NoError(t, err)
			input := UploadInput{ID: p.Bundle.ID, CreatedAt: p.CreatedAt, Size: p.Size}
			_, err = r.producer.put(t.Context(), placement{producer: r.producer, key: key, seenChain: u.SeenChain, UploadInput: input}, file)
			require.NoError(t, err)
			require.Len(t, r.keys(), 2)
			goOn(r, p)
			require.Equal(t, []string{key}, r.keys())
			require.NoError(t, theirs.Cycle(t.Context(), r.bodies()))
			require.Equal(t, second, r.tip())
		})
	}
}

// A listing that is behind shows the newest object although it has been deleted since: then nothing else may go.
func TestPruneKeepsWhatThePredecessorNeeds(t *testing.T) {
	t.Parallel()
	r, _ := newPredecessorRig(t, "stable")
	r.commit("one")
	old := r.produce()[0]
	body := r.bodies()[0].Body
	r.commit("two")
	newest := r.produce()[0]
	r.put(old.Key, body)
	awaitNextSecond()
	r.put(newest.Key, body) // both are there, as after a kill
	require.Equal(t, 1, must(r, r.producer.PlanUploads, PlanRequest{}).Superseded)
	r.lag.freeze()
	require.NoError(t, r.direct().Delete(t.Context(), newest.Key))
	pruned := must(r, r.producer.Prune, PruneRequest{})
	require.Empty(t, pruned.Keys)
	require.Equal(t, 1, pruned.Left)
	require.Equal(t, []string{old.Key}, r.keys())
}

// An upload deletes what its own destination had, and nothing of another that is so alike.
func TestUploadForThePredecessorDeletesItsOwn(t *testing.T) {
	t.Parallel()
	r, theirs := newPredecessorRig(t, "stable")
	other := r.sync
	other.Destination.Branch = "other"
	r.configure(r.sync, other)
	r.commit("one")
	require.Len(t, r.produce(), 2)
	first := r.keys()
	require.Len(t, first, 2)
	second := r.commit("two")
	uploaded := r.produce()
	require.Len(t, uploaded, 2)
	require.ElementsMatch(t, []string{uploaded[0].Key, uploaded[1].Key}, r.keys())
	require.NoError(t, theirs.Cycle(t.Context(), r.bodies()))
	require.Equal(t, second, r.tip())
	r.atDestination("rev-parse", "--verify", "refs/heads/other")

	// Another spelling is the same project. What that had is found by the cycle.
	spelled := other
	spelled.Destination.Group = "Mirror/platform"
	r.configure(r.sync, spelled)
	require.Len(t, r.produce(), 1)
	require.Len(t, must(r, r.producer.Prune, PruneRequest{}).Keys, 1)
	require.Len(t, r.keys(), 2)
	require.Empty(t, must(r, r.producer.PlanUploads, PlanRequest{}).Moves)
}

// Destinations that have left the configuration keep their newest object for as long as ours would.
func TestOrphansForThePredecessor(t *testing.T) {
	t.Parallel()
	r, _ := newPredecessorRig(t, "stable")
	now := time.Now()
	r.producer.Clock = func() time.Time { return now }
	r.producer.Retention.After = time.Hour
	gone := r.sync
	gone.Destination.Branch = "gone"
	r.configure(r.sync, gone)
	r.commit("one")
	require.Len(t, r.produce(), 2)
	r.configure(r.sync)
	page := must(r, r.producer.PlanUploads, PlanRequest{})
	require.Equal(t, away(now.UTC(), gone.Destination), page.Orphans.Absence)
	require.Empty(t, must(r, r.producer.Prune, PruneRequest{Absence: page.Orphans.Absence}).Keys)
	require.Len(t, r.keys(), 2)
	now = now.Add(time.Hour)
	require.Len(t, must(r, r.producer.Prune, PruneRequest{Absence: page.Orphans.Absence}).Keys, 1)
	require.Len(t, r.keys(), 1)
}

// A catalog from before would stop the predecessor's consumer, and is deleted even if nothing has to be uploaded.
func TestCatalogIsNotLeftToThePredecessor(t *testing.T) {
	t.Parallel()
	r, _ := newPredecessorRig(t, "stable")
	r.commit("one")
	uploaded := r.produce()[0]
	require.Zero(t, must(r, r.producer.PlanUploads, PlanRequest{}).Superseded)
	r.put(catalog.Key, []byte("a catalog"))
	page := must(r, r.producer.PlanUploads, PlanRequest{})
	require.Empty(t, page.Moves)
	require.Equal(t, 1, page.Superseded)
	require.Equal(t, []string{catalog.Key}, must(r, r.producer.Prune, PruneRequest{}).Keys)
	_, err := r.consumer.Bucket.Stat(t.Context(), catalog.Key)
	require.ErrorIs(t, err, bucket.ErrNotFound)
	require.Equal(t, []string{uploaded.Key}, r.keys())
}
