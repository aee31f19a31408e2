package activities

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// putLFS puts a segment of a made-up LFS object of a project into the bucket.
func (r *rig) putLFS(of project.Branch, n int) (key string) {
	r.Helper()
	key, err := lfs.Key(of, fmt.Sprintf("%064x", n), 1)
	require.NoError(r, err)
	r.put(key, []byte("segment"))
	return key
}

// newLFSRig has an LFS object of another project than the sync's, and it is two days later. What is uploaded gets the time
// at which it is.
func newLFSRig(t *testing.T) (r *rig, other project.Branch, key string) {
	r = newRig(t)
	r.inRealTime()
	r.producer.Retention.After = 24 * time.Hour
	other = project.Branch{Group: "mirror", Name: "other", Branch: "main"}
	key = r.putLFS(other, 1)
	r.after(48 * time.Hour)
	return r, other, key
}

// after sets the producer's clock to a time from now.
func (r *rig) after(d time.Duration) {
	r.producer.Clock = func() time.Time { return time.Now().Add(d) }
}

// lfsPruned plans and prunes, and returns what has gone. What is not due is not deleted either.
func (r *rig) lfsPruned() (keys []string) {
	r.Helper()
	page := must(r, r.producer.PlanUploads, PlanRequest{})
	keys = must(r, r.producer.Prune, PruneRequest{Absence: page.Orphans.Absence}).Keys
	require.Equal(r, len(keys) > 0, len(page.LFSDue) > 0)
	return keys
}

// LFS objects go when nothing else in the bucket and no sync is of their project, and they are old enough.
func TestPruneLFS(t *testing.T) {
	t.Parallel()
	r, other, key := newLFSRig(t)
	r.putLFS(r.sync.Destination, 1) // the first upload of its project is under way: there are no commits yet
	page := must(r, r.producer.PlanUploads, PlanRequest{})
	require.Equal(t, []plan.LFSDeletion{{Project: "mirror/other", Reason: "no sync has the project as its destination, and the bucket has no commits of it"}}, page.LFSDue)
	r.after(12 * time.Hour)
	require.Empty(t, r.lfsPruned(), "it is too young")
	r.after(48 * time.Hour)
	require.Equal(t, []string{key}, r.lfsPruned())
	require.Empty(t, r.lfsPruned())
	require.Len(t, r.keys(), 1)

	// One that leaves and has commits keeps its LFS objects as long as those.
	r.commit("one")
	commits := r.produce()[0].Key
	lfsKey := r.keys()[1]
	r.configure(project.Sync{Source: r.sync.Source, Destination: other})
	require.Empty(t, r.lfsPruned(), "its commits wait for a day")
	absence := plan.Absence{Branches: []plan.Absent{{Destination: r.sync.Destination, Since: time.Now()}}}
	r.producer.Retention.MaxShare = 1
	require.Equal(t, []string{commits}, must(r, r.producer.Prune, PruneRequest{Absence: absence}).Keys)
	require.Equal(t, []string{lfsKey}, r.lfsPruned())
}

func TestPruneKeepsLFS(t *testing.T) {
	t.Parallel()
	r, other, key := newLFSRig(t)
	sync := r.sync
	for name, change := range map[string]func(){
		"there is a sync":                func() { r.configure(sync, project.Sync{Source: sync.Source, Destination: other}) },
		"there is one of another branch": func() { sync := sync; sync.Destination = other; sync.Destination.Branch = "x"; r.configure(sync) },
		"there is one in another spelling": func() {
			sync := sync
			sync.Destination = project.Branch{Group: "Mirror", Name: "OTHER", Branch: "main"}
			r.configure(sync)
		},
		"no sync is configured": func() { r.configure() },
		"an entry is invalid": func() {
			r.configure(sync, project.Sync{Source: sync.Source, Destination: project.Branch{Group: "mirror", Name: "othr", Branch: ".."}})
		},
		"nothing is ever to be deleted":        func() { r.producer.Retention.MaxShare = 0 },
		"it is not old enough to be deleted":   func() { r.producer.Retention.After = 72 * time.Hour },
		"the bucket's time is one of tomorrow": func() { r.after(-time.Hour); r.producer.Retention.After = 0 },
	} {
		r.configure(sync)
		r.producer.Retention = plan.Retention{After: 24 * time.Hour, MaxShare: 0.5}
		r.after(48 * time.Hour)
		change()
		require.Empty(t, r.lfsPruned(), name)
	}
	r.configure(sync)
	r.producer.Retention = plan.Retention{After: 24 * time.Hour, MaxShare: 0.5}
	r.after(48 * time.Hour)

	// Too much has left at once: whatever the list of syncs is, it is not acted upon.
	for _, name := range []string{"one", "two", "three"} {
		commits, err := object.ID{Destination: project.Branch{Group: "gone", Name: name, Branch: "main"}, Commit: strings.Repeat("a", 40)}.Key()
		require.NoError(t, err)
		r.put(commits, nil)
	}
	page := must(r, r.producer.PlanUploads, PlanRequest{})
	require.Equal(t, plan.KindPruneRefused, page.Failed[0].Kind)
	require.Empty(t, r.lfsPruned())
	require.Contains(t, r.keys(), key)
}

// Keys below lfs/ that are no LFS objects are left to a person, who sees them in a plan, and hold nothing up.
func TestPruneLeavesForeignKeysBelowLFS(t *testing.T) {
	t.Parallel()
	r, other, key := newLFSRig(t)
	folder, err := lfs.Folder(other)
	require.NoError(t, err)
	foreign := []string{lfs.Root + "loose", lfs.Root + "not base64/" + strings.Repeat("a", 64) + "/1.age", folder + "notes.txt", folder + strings.Repeat("A", 64) + "/1.age"}
	for _, k := range foreign {
		r.put(k, nil)
	}
	require.Equal(t, []string{key}, r.lfsPruned())
	require.ElementsMatch(t, foreign, r.keys())
	require.Empty(t, must(r, r.producer.PlanUploads, PlanRequest{}).Failures, "a cycle does not look at them")
	require.Empty(t, r.lfsPruned())

	shown := must(r, r.producer.PlanUploads, PlanRequest{PageRequest: plan.PageRequest{Detail: true}})
	require.Len(t, ofKind(shown.Failed, plan.KindUndecodableKey), len(foreign))
	require.Empty(t, shown.LFS.Projects)
}

// ofKind are the failures of a kind.
func ofKind(failures []plan.Failure, kind string) (some []plan.Failure) {
	for _, f := range failures {
		if f.Kind == kind {
			some = append(some, f)
		}
	}
	return some
}

// An object that was replaced after it was listed stays, and so does its project until the next cycle.
func TestPruneDoesNotTrustOldListingsOfLFS(t *testing.T) {
	t.Parallel()
	r, _, key := newLFSRig(t)
	r.lag.alter = func(resp *http.Response) {
		if resp.Request.Method == http.MethodHead && resp.ContentLength > 0 {
			resp.ContentLength++
			resp.Header.Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
		}
	}
	pruned := must(r, r.producer.Prune, PruneRequest{})
	require.Empty(t, pruned.Keys)
	require.Equal(t, 1, pruned.Left)
	r.lag.alter = nil
	require.Equal(t, []string{key}, must(r, r.producer.Prune, PruneRequest{}).Keys)
}

// inTurn answers with one list of syncs after the other, and goes on with the last.
type inTurn [][]project.Sync

func (l *inTurn) Syncs(context.Context) ([]project.Sync, error) {
	next := (*l)[0]
	if len(*l) > 1 {
		*l = (*l)[1:]
	}
	return next, nil
}

// A project that comes back while it is being looked at keeps what its first run may already have found there.
func TestPruneOfProjectThatIsBack(t *testing.T) {
	t.Parallel()
	r, other, key := newLFSRig(t)
	back := []project.Sync{r.sync, {Source: r.sync.Source, Destination: other}}
	r.producer.Syncs = &inTurn{{r.sync}, back}
	require.Empty(t, must(r, r.producer.Prune, PruneRequest{}).Keys)
	r.producer.Syncs = &inTurn{{r.sync}, {}}
	require.Empty(t, must(r, r.producer.Prune, PruneRequest{}).Keys)
	require.Contains(t, r.keys(), key)
}

// The predecessor's consumer stops at LFS objects, so they go like the catalog, of configured projects, too, and without delay.
func TestPruneLFSForThePredecessor(t *testing.T) {
	t.Parallel()
	r, _, key := newLFSRig(t)
	own := r.putLFS(r.sync.Destination, 1)
	r.producer.WritePredecessor = true
	r.after(0)
	r.configure()
	require.ElementsMatch(t, []string{key, own}, r.lfsPruned())
	require.Empty(t, r.lfsPruned())
}

// Of LFS objects, too, one cycle deletes so many and no more, of whichever projects, after what newer objects have replaced.
func TestPruneOfLFSIsBounded(t *testing.T) {
	t.Parallel()
	r, other, _ := newLFSRig(t)
	var group errgroup.Group
	group.SetLimit(8)
	second := other
	second.Name = "second"
	for n := range maxPruned + 20 {
		key, err := lfs.Key([]project.Branch{other, second}[n%2], fmt.Sprintf("%064x", n), 1)
		require.NoError(t, err)
		group.Go(func() error { return r.producer.Bucket.Upload(t.Context(), key, strings.NewReader("x"), 1) })
	}
	require.NoError(t, group.Wait())
	var replaced []string
	for range 2 {
		commits, err := object.ID{Destination: r.sync.Destination, Commit: r.commit("one")}.Key()
		require.NoError(t, err)
		r.put(commits, nil)
		replaced = append(replaced, commits)
		awaitNextSecond()
	}
	pruned := must(r, r.producer.Prune, PruneRequest{})
	require.Len(t, pruned.Keys, maxPruned)
	require.Contains(t, pruned.Keys, replaced[0])
	require.Equal(t, 22, pruned.Left)
	pruned = must(r, r.producer.Prune, PruneRequest{})
	require.Len(t, pruned.Keys, 22)
	require.Zero(t, pruned.Left)
	require.Equal(t, replaced[1:], r.keys())
}

// LFS objects that somebody has deleted by hand come back with a snapshot, which takes the place of the objects when these are
// deleted, too.
func TestLFSObjectsDeletedByHand(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	one, two := r.large("one"), r.large("two")
	r.commitLFS("main", nil, one)
	r.produce()
	r.commitLFS("main", nil, one, two)
	r.produce()
	require.NoError(t, r.direct().Delete(t.Context(), r.lfsKey(one)))
	require.Empty(t, r.produce(), "nobody has asked for it")
	for _, key := range r.keys() {
		if !strings.HasPrefix(key, lfs.Root) {
			require.NoError(t, r.direct().Delete(t.Context(), key))
		}
	}
	require.Contains(t, r.produce()[0].Summary, "; 2 LFS objects, 6 B, 1 was there already")
	require.Equal(t, map[string]string{one.OID: "one", two.OID: "two"}, r.heldLFS())
}
