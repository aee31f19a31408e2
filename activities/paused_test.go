package activities

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// pause pauses syncs of one side as PauseSync does. Without destinations it ends all pauses.
func (r *rig) pause(role contract.Role, destinations ...project.Branch) (pauses []fleet.Pause) {
	r.Helper()
	index := pauseIndex{}
	for _, b := range destinations {
		pause := fleet.Pause{Destination: b.String(), Reason: "moving house", By: "ann@host", Until: time.Now().Add(time.Hour).UTC().Truncate(time.Second)}
		pauses = append(pauses, pause)
		index.runs = append(index.runs, pauseRun(r.T, role.PauseID(b), time.Now(), contract.PauseMemo(pause)))
	}
	common := &r.producer.Common
	if role == contract.Consumer {
		common = &r.consumer.Common
	}
	common.Pauses = Pauses{index, role, time.Now}
	return pauses
}

// The producer leaves a paused sync alone, says so, and goes on seeing its source. When the pause is over, the next cycle moves it.
func TestPausedUploads(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	r.produce()
	moved := r.commit("two")
	pauses := r.pause(contract.Producer, r.sync.Destination)

	page := must(r, r.producer.PlanUploads, PlanRequest{})
	require.Empty(t, page.Moves)
	require.Empty(t, page.Failed)
	require.Equal(t, pauses, page.Paused)
	require.Equal(t, 1, page.Checked)
	require.Zero(t, page.UpToDate)
	for _, only := range []string{r.sync.Destination.String(), "Mirror/Platform/ROUTER@" + r.sync.Destination.Branch} {
		b, err := project.ParseBranch(only)
		require.NoError(t, err)
		named := must(r, r.producer.PlanUploads, PlanRequest{Only: []project.Branch{b}})
		require.Empty(t, named.Moves, "also if a person names it")
		require.Equal(t, pauses, named.Paused)
	}
	last, err := r.producer.readCatalog(t.Context())
	require.NoError(t, err)
	entry, _ := last.Sync(r.sync.Destination)
	require.Equal(t, moved, entry.State, "the consumer is told where the source is")
	require.Nil(t, entry.Failure)
	require.NotEqual(t, moved, entry.Object.Commit)
	require.Empty(t, r.plans(PlanRequest{}).Failed, "nothing is withheld")

	r.pause(contract.Producer)
	require.Len(t, r.produce(), 1)
}

// A source that is paused is not failing, whatever it answers: no attempt waits for it, and no failure goes into the catalog.
func TestPausedSourceThatFails(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	r.produce()
	r.source.Close()
	r.pause(contract.Producer, r.sync.Destination)
	for _, detail := range []bool{true, false} {
		page := must(r, r.producer.PlanUploads, PlanRequest{PageRequest: plan.PageRequest{Detail: detail}})
		require.Empty(t, page.Failed)
		require.Len(t, page.Paused, 1)
	}
	last, err := r.producer.readCatalog(t.Context())
	require.NoError(t, err)
	entry, _ := last.Sync(r.sync.Destination)
	require.Nil(t, entry.Failure)

	r.pause(contract.Producer)
	_, err = execute(r, r.producer.PlanUploads, PlanRequest{})
	require.ErrorContains(t, err, ErrGitServerDown.Error())
}

// The consumer leaves a paused sync alone: one that is behind, one whose object is withheld, and one that
// is not allowed.
func TestPausedPushes(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*rig){
		"behind":   func(*rig) {},
		"withheld": func(r *rig) { require.NoError(r, r.producer.Bucket.Delete(r.Context(), r.keysOfObjects()...)) },
		"not allowed": func(r *rig) {
			allow, err := project.ParseAllowlist("other/*")
			require.NoError(r, err)
			r.consumer.Allow = allow
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			r.commit("one")
			r.produce()
			prepare(r)
			before := r.plans(PlanRequest{})
			require.Equal(t, 1, len(before.Moves)+len(before.Failed))
			pauses := r.pause(contract.Consumer, r.sync.Destination)
			for _, request := range []PlanRequest{{}, {PageRequest: plan.PageRequest{Detail: true}}, {Only: []project.Branch{r.sync.Destination}}} {
				page := r.plans(request)
				require.Empty(t, page.Moves)
				require.Empty(t, page.Failed)
				require.Empty(t, page.Waiting)
				require.Equal(t, pauses, page.Paused)
				require.Equal(t, 1, page.Checked)
			}
			r.pause(contract.Consumer)
			after := r.plans(PlanRequest{})
			require.Equal(t, 1, len(after.Moves)+len(after.Failed))
		})
	}
}

// Who cannot tell what is paused plans nothing, and deletes nothing.
func TestPlansThatDoNotKnowWhatIsPaused(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	down := Pauses{pauseIndex{err: errors.New("visibility is down")}, contract.Producer, time.Now}
	r.producer.Pauses, r.consumer.Pauses = down, down
	_, err := execute(r, r.producer.PlanUploads, PlanRequest{})
	require.ErrorContains(t, err, "PausesUnknown")
	_, err = execute(r, r.consumer.PlanPushes, PlanRequest{})
	require.ErrorContains(t, err, "visibility is down")
	_, err = execute(r, r.producer.Prune, PruneRequest{})
	require.ErrorContains(t, err, "PausesUnknown")
}

// Nothing of a paused sync is deleted, neither what newer objects have replaced, nor what is of no sync any more.
func TestNothingOfPausedSyncsIsPruned(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("one")
	_, content := seal(r)
	other := r.sync
	other.Destination.Branch = "other"
	r.configure(r.sync, other)
	r.produce()
	tip := r.commit("two")
	awaitNextSecond()
	r.put(keyOf(t, r.sync.Destination, tip), content)
	r.configure(r.sync)
	absence := away(time.Now().UTC().Round(0).Add(-time.Hour), other.Destination)
	before := r.keys()

	r.pause(contract.Producer, r.sync.Destination, other.Destination)
	page := must(r, r.producer.PlanUploads, PlanRequest{Absence: absence})
	require.Zero(t, page.Superseded)
	require.Empty(t, page.Orphans.Due)
	pruned := must(r, r.producer.Prune, PruneRequest{Absence: absence})
	require.Empty(t, pruned.Keys)
	require.Equal(t, absence, pruned.Absence, "it is remembered")
	require.Equal(t, before, r.keys())

	r.pause(contract.Producer)
	page = must(r, r.producer.PlanUploads, PlanRequest{Absence: absence, PageRequest: plan.PageRequest{Detail: true}})
	require.Positive(t, page.Superseded)
	require.Len(t, page.Deletable, 2)
	require.Equal(t, plan.Deletable{Destination: other.Destination.String(), Objects: 1, Bytes: page.Deletable[0].Bytes, Orphaned: true}, page.Deletable[0])
	require.Equal(t, page.Superseded, page.Deletable[1].Objects)
	require.Positive(t, page.Deletable[1].Bytes)
	require.Equal(t, []project.Branch{other.Destination}, page.Orphans.Due)
	require.Equal(t, len(before)-1, len(must(r, r.producer.Prune, PruneRequest{Absence: absence}).Keys))
}

func keyOf(t *testing.T, b project.Branch, commit string) string {
	t.Helper()
	key, err := object.ID{Destination: b, Commit: commit}.Key()
	require.NoError(t, err)
	return key
}

// A run that has waited since it was planned, or that repeats another, moves nothing of what has been paused since. Nor does it if
// nobody knows what is paused.
func TestPausedSincePlanned(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	r.produce()
	push := r.plans(PlanRequest{}).Moves[0]
	r.commit("two")
	upload := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
	other := r.sync.Destination
	other.Name = "other"
	for _, heed := range []bool{true, false} { // older workflows do not know what to do then
		r.pause(contract.Producer, other, r.sync.Destination)
		r.pause(contract.Consumer, other, r.sync.Destination)
		cloned := must(r, r.producer.Clone, UploadWork{Plan: upload, HeedPause: heed})
		downloaded := must(r, r.consumer.Download, PushWork{Plan: push, HeedPause: heed})
		require.Equal(t, heed, cloned.Pause != nil)
		require.Equal(t, heed, cloned.Bundle.ID.Commit == "")
		require.Equal(t, heed, downloaded.Pause != nil)
		require.Equal(t, heed, len(downloaded.Objects) == 0)
		if heed {
			require.Equal(t, r.sync.Destination.String(), cloned.Pause.Destination)
			require.Equal(t, r.sync.Destination.String(), downloaded.Pause.Destination)
		}
	}
	r.pause(contract.Producer, other)
	require.Nil(t, must(r, r.producer.Clone, UploadWork{Plan: upload, HeedPause: true}).Pause)
	r.producer.Pauses.Temporal = pauseIndex{err: errors.New("no visibility")}
	_, err := execute(r, r.producer.Clone, UploadWork{Plan: upload, HeedPause: true})
	require.ErrorContains(t, err, ErrPausesUnknown.Error())
}
