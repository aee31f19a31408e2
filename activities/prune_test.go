package activities

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/faultproxy"
)

// configure makes these the syncs that the producer is told of.
func (r *rig) configure(syncs ...project.Sync) { r.producer.Syncs = &listed{syncs: syncs} }

// keys are those of the objects that the bucket really has. The catalog is none.
func (r *rig) keys() (keys []string) {
	r.Helper()
	for o, err := range r.consumer.Bucket.List(r.Context(), "") {
		require.NoError(r, err)
		if o.Key != catalog.Key {
			keys = append(keys, o.Key)
		}
	}
	return keys
}

// away is what a cycle remembers of a destination that left at a time.
func away(since time.Time, destinations ...project.Branch) (a plan.Absence) {
	for _, d := range destinations {
		a.Branches = append(a.Branches, plan.Absent{Destination: d, Since: since})
	}
	return a
}

// Prune deletes what newer objects have replaced, and nothing else.
func TestPruneSuperseded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("one")
	old, content := seal(r)
	tip := r.commit("two")
	increment := r.produce()[0]
	r.put("not one of ours", nil)
	r.put(catalog.Key, nil)
	newer, err := object.ID{Destination: r.sync.Destination, Commit: tip}.Key()
	require.NoError(t, err)
	awaitNextSecond()
	r.put(newer, content)
	pruned := must(r, r.producer.Prune, PruneRequest{})
	require.ElementsMatch(t, []string{old, increment.Key}, pruned.Keys)
	require.Zero(t, pruned.Left)
	require.Empty(t, pruned.Absence, "a branch that is still there counts against no share")
	require.ElementsMatch(t, []string{newer, "not one of ours"}, r.keys())
	_, err = r.consumer.Bucket.Stat(t.Context(), catalog.Key)
	require.NoError(t, err)
}

// awaitNextSecond waits until what is written now is in a later second. The times of files lag a few
// milliseconds behind the clock.
func awaitNextSecond() {
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second + 50*time.Millisecond)))
}

// Orphans go when their sync has been absent for long enough, by what was remembered and by the
// configuration and the bucket as they are now.
func TestPruneOrphans(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	now := time.Now()
	r.producer.Clock = func() time.Time { return now }
	r.producer.Retention.After = 24 * time.Hour
	r.commit("one")
	other := r.sync
	other.Destination.Branch = "other"
	r.configure(r.sync, other)
	for _, u := range must(r, r.producer.PlanUploads, PlanRequest{}).Moves {
		must(r, r.upload, must(r, r.encrypt, must(r, r.pack, must(r, r.clone, u))))
	}
	require.Len(t, r.keys(), 2)
	r.configure(r.sync)

	planned := must(r, r.producer.PlanUploads, PlanRequest{})
	orphans := planned.Orphans
	require.Equal(t, away(now.UTC(), other.Destination), orphans.Absence)
	require.Contains(t, planned.Warning, "not before "+now.Add(24*time.Hour).UTC().Format(time.RFC3339))
	require.Empty(t, must(r, r.producer.Prune, PruneRequest{Absence: orphans.Absence}).Keys, "not yet")
	require.Empty(t, must(r, r.producer.Prune, PruneRequest{}).Keys, "nothing is remembered")

	long := now.Add(-24 * time.Hour)
	require.Empty(t, must(r, r.producer.Prune, PruneRequest{Absence: away(long.Add(time.Second), other.Destination)}).Keys, "a second too early")
	require.Empty(t, must(r, r.producer.Prune, PruneRequest{Absence: away(long, r.sync.Destination)}).Keys, "it is configured")
	r.configure(r.sync, other)
	require.Empty(t, must(r, r.producer.Prune, PruneRequest{Absence: away(long, other.Destination)}).Keys, "it is back")
	r.configure()
	require.Empty(t, must(r, r.producer.Prune, PruneRequest{Absence: away(long, r.sync.Destination, other.Destination)}).Keys, "an empty configuration")
	r.configure(r.sync)
	r.producer.Retention.MaxShare = 0.4
	require.Empty(t, must(r, r.producer.Prune, PruneRequest{Absence: away(long, other.Destination)}).Keys, "more than the share")
	r.producer.Retention.MaxShare = 0.5

	r.producer.Retention.After = 0
	third := r.sync.Destination
	third.Branch = "third"
	require.Empty(t, must(r, r.producer.Prune, PruneRequest{Absence: away(long, third)}).Keys, "it has left since the plan, whose catalog has it")
	r.producer.Retention.After = 24 * time.Hour

	pruned := must(r, r.producer.Prune, PruneRequest{Absence: away(long, other.Destination)})
	require.Len(t, pruned.Keys, 1)
	require.Equal(t, plan.Absence{Deleted: []plan.Deletion{{At: now.UTC(), Destinations: 1}}}, pruned.Absence)
	require.Len(t, r.keys(), 1)
}

// An overwritten key that is listed with its old time looks superseded.
func TestPruneDoesNotTrustOldTimes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit(random(2_000))
	first, content := seal(r)
	r.commit(random(20_000))
	awaitNextSecond()
	second := r.produce()[0]
	snapshot, err := object.ID{Destination: r.sync.Destination, Commit: second.ID.Commit}.Key()
	require.NoError(t, err)
	awaitNextSecond()
	r.put(snapshot, content)
	must(r, r.producer.PlanUploads, PlanRequest{}) // is listed
	r.lag.freeze()
	awaitNextSecond()
	r.put(first, content)
	pruned := must(r, r.producer.Prune, PruneRequest{})
	require.Empty(t, pruned.Keys)
	require.Equal(t, 2, pruned.Left)
	require.Contains(t, r.keys(), first)
}

// An object that was replaced within the second of its listed time has another size, if anything tells.
func TestPruneDoesNotTrustOldSizes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit(random(2_000))
	r.produce()
	r.commit(random(20_000))
	r.produce()
	r.commit(random(90_000))
	r.produce()
	r.lag.alter = func(resp *http.Response) {
		if resp.Request.Method == http.MethodHead && resp.ContentLength > 0 {
			resp.ContentLength++
			resp.Header.Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
		}
	}
	pruned := must(r, r.producer.Prune, PruneRequest{})
	require.Empty(t, pruned.Keys)
	require.Positive(t, pruned.Left)
	r.lag.alter = nil
	require.Len(t, must(r, r.producer.Prune, PruneRequest{}).Keys, pruned.Left)
}

// An object that is listed although it is gone makes others look superseded.
func TestPruneDoesNotTrustGhosts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("one")
	first, content := seal(r)
	tip := r.commit("two")
	ghost, err := object.ID{Destination: r.sync.Destination, Commit: tip}.Key()
	require.NoError(t, err)
	awaitNextSecond()
	r.put(ghost, content)
	require.Equal(t, 1, must(r, r.producer.PlanUploads, PlanRequest{}).Superseded)
	r.lag.freeze()
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), ghost))
	pruned := must(r, r.producer.Prune, PruneRequest{})
	require.Empty(t, pruned.Keys)
	require.Equal(t, 1, pruned.Left)
	require.Equal(t, []string{first}, r.keys())
}

// One cycle deletes so much and no more; the rest is counted, and goes in the next.
func TestPruneIsBounded(t *testing.T) {
	destination := project.Branch{Group: "g", Name: "n", Branch: "b"}
	objects := make([]object.Stored, 2*maxPruned)
	for i := range objects {
		objects[i] = object.Stored{
			ID:  object.ID{Destination: destination, Commit: fmt.Sprintf("%040x", i+1)},
			Key: strconv.Itoa(i), Modified: time.Unix(int64(i), 0),
		}
	}
	chains := chain.Build(objects)
	out, left := removals(chains, nil)
	require.Len(t, out, 1)
	require.Len(t, out[0].unneeded, maxPruned)
	require.Equal(t, maxPruned-1, left, "one of them is needed")

	out, left = removals(chains, []project.Branch{destination})
	require.Len(t, out[0].unneeded, maxPruned)
	require.False(t, out[0].orphaned, "not all of it is gone then")
	require.Equal(t, maxPruned, left)

	several := []object.Stored{objects[0]}
	for _, name := range []string{"other", "third"} {
		for i, o := range objects[:maxPruned*3/4] {
			o.Destination.Name, o.Key = name, name+strconv.Itoa(i)
			several = append(several, o)
		}
	}
	out, left = removals(chain.Build(several), nil)
	require.Len(t, out, 2, "where nothing goes, nothing is looked at")
	require.Len(t, slices.Concat(out[0].unneeded, out[1].unneeded), maxPruned)
	require.Equal(t, maxPruned/2-2, left)
}

// What killed workers have left of uploads goes after a day, also of keys that nobody uploads again: commits and LFS objects, and
// nothing that is not ours.
func TestPruneTakesBackOldUploads(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("one")
	r.produce()
	of, err := object.ID{Destination: r.sync.Destination, Commit: strings.Repeat("a", 40)}.Key()
	require.NoError(t, err)
	lfsKey, err := lfs.Key(r.sync.Destination, strings.Repeat("b", 64), 1)
	require.NoError(t, err)
	young, err := object.ID{Destination: r.sync.Destination, Commit: strings.Repeat("c", 40)}.Key()
	require.NoError(t, err)
	uploads, day := "", 24*time.Hour
	for key, age := range map[string]time.Duration{of: day + time.Hour, lfsKey: day + time.Hour, young: day - time.Hour, "others": 2 * day} {
		uploads += "<Upload><Key>" + key + "</Key><UploadId>1</UploadId><Initiated>" + time.Now().Add(-age).UTC().Format(time.RFC3339) + "</Initiated></Upload>"
	}
	proxy, err := faultproxy.Start(r.s3.URL())
	require.NoError(t, err)
	defer func() { require.NoError(t, proxy.Close()) }()
	proxy.Add(faultproxy.Fault{
		Of:     func(req *http.Request) bool { return req.Method == http.MethodGet && req.URL.Query().Has("uploads") },
		Answer: faultproxy.Status(http.StatusOK, nil, "<ListMultipartUploadsResult>"+uploads+"</ListMultipartUploadsResult>"),
	})
	var aborted []string
	proxy.Add(faultproxy.Fault{
		Of: func(req *http.Request) bool {
			return req.Method == http.MethodDelete && req.URL.Query().Has("uploadId")
		},
		Answer: func(w http.ResponseWriter, req *http.Request) {
			aborted = append(aborted, strings.TrimPrefix(req.URL.Path, "/"+r.s3.Name+"/"))
			w.WriteHeader(http.StatusNoContent)
		},
	})
	r.producer.Bucket, err = bucket.Open(t.Context(), bucket.Options{Name: r.s3.Name, PathStyle: true}, r.s3.ClientConfig(r.s3.Producer), config.WithBaseEndpoint(proxy.URL()))
	require.NoError(t, err)
	require.Empty(t, must(r, r.producer.Prune, PruneRequest{}).Keys)
	require.ElementsMatch(t, []string{of, lfsKey}, aborted)
}
