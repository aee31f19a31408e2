package activities

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// For an hour: go test ./activities -run TestNoFalseAlarmsAsSyncsChange -timeout 2h -false-alarms 1h
var falseAlarms = flag.Duration("false-alarms", 10*time.Second, "for how long TestNoFalseAlarmsAsSyncsChange looks for them")

// world is a random operation in real time: two workers of one producer, whose clocks are two minutes apart, a consumer that
// looks at any moment, and a list of syncs that changes.
type world struct {
	*rig
	seed uint64

	mu    sync.Mutex
	syncs []project.Sync
	busy  map[project.Branch]bool // what Temporal does: one run of a destination at a time
	moved map[string]int          // uploads and pushes
}

// Syncs is what is configured just now.
func (w *world) Syncs(context.Context) ([]project.Sync, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.syncs), nil
}

func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved[what]++
}

// take locks a destination, unless a run is at work there.
func (w *world) take(b project.Branch) (release func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy[b] {
		return nil, false
	}
	w.busy[b] = true
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.busy, b)
	}, true
}

// produce is a cycle of one of the producer's workers. Its children run one after the other, as all of a test's runs have one
// folder on a worker's disk.
func (w *world) produce(worker *rig, absence plan.Absence) plan.Absence {
	planned, err := execute(worker, worker.producer.PlanUploads, PlanRequest{Absence: absence})
	require.NoError(w, err)
	for _, u := range planned.Moves {
		release, ok := w.take(u.Sync.Destination)
		if !ok {
			continue
		}
		var err error
		cloned := next(worker, &err, worker.clone, u)
		next(worker, &err, worker.upload, next(worker, &err, worker.encrypt, next(worker, &err, worker.pack, cloned)))
		worker.cleanup(&err, &worker.producer.Common, cloned.Staged)
		if err == nil {
			w.count("uploads")
		}
		release()
	}
	_, err = worker.activities.ExecuteActivity(worker.producer.Publish)
	require.NoError(w, err)
	pruned, err := execute(worker, worker.producer.Prune, PruneRequest{Absence: planned.Orphans.Absence})
	require.NoError(w, err)
	return pruned.Absence
}

// consume is a cycle of the consumer. It returns what it remembers.
func (w *world) consume(worker *rig, seen plan.CatalogSeen) plan.CatalogSeen {
	page, err := execute(worker, worker.consumer.PlanPushes, PlanRequest{Catalog: seen})
	require.NoError(w, err)
	require.Empty(w, page.Failed, "seed %d", w.seed)
	for _, push := range page.Moves {
		var err error
		downloaded := next(worker, &err, worker.download, push)
		next(worker, &err, worker.push, next(worker, &err, worker.decrypt, downloaded))
		worker.cleanup(&err, &worker.consumer.Common, downloaded.Staged)
		if err == nil {
			w.count("pushes")
			continue
		}
		var failure *temporal.ApplicationError
		require.ErrorAs(w, err, &failure)
		w.Logf("%s: %v", push.Destination, err)
		require.NotContains(w, []string{plan.KindObjectWithheld, "Replayed", "ObjectMismatch"}, failure.Type(), "seed %d: %v", w.seed, err)
	}
	return page.Catalog
}

// happen is what people do at the source, or to the list of syncs.
func (w *world) happen(random *rand.Rand) {
	switch n := random.IntN(8); n {
	case 0: // one leaves, to be pruned, and a new one comes
		w.mu.Lock()
		w.syncs[0] = pair("next", fmt.Sprintf("brief-%d", random.Uint64()))
		w.mu.Unlock()
	case 1, 2:
		w.atSource("tag", "-f", fmt.Sprintf("v%d", random.IntN(5)), "main")
	case 3:
		w.atSource("update-ref", "refs/heads/next", "refs/heads/main")
	default:
		content := strings.Repeat(fmt.Sprint(random.Uint64()), 1<<random.IntN(10))
		_, err := w.source.Commit(w.Context(), sourceRepo, []string{"main", "next"}[n%2], map[string]string{"file": content}, content[:8])
		require.NoError(w, err)
	}
}

// While syncs come and leave, no plan of the consumer has any failure: whatever it meets between an upload, the catalog that
// names it, and the deletion of what it replaces, or of all of a sync that has left; be it of a branch or a set. In the end all
// has arrived. Each run of the test is another one. What takes longer, as a catalog that gets old, is of
// TestNoFalseAlarmsInAnHour.
func TestNoFalseAlarmsAsSyncsChange(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	w := &world{rig: r, seed: rand.Uint64(), busy: map[project.Branch]bool{}, moved: map[string]int{}}
	w.syncs = []project.Sync{pair("next", "brief"), pair("main", "stable"), pair("next", "next"), pair("refs/tags/*", "refs/tags/*")}
	for _, branch := range []string{"main", "next"} {
		_, err := r.source.Commit(t.Context(), sourceRepo, branch, map[string]string{"file": branch}, branch)
		require.NoError(t, err)
	}
	r.atSource("tag", "v0", "main")
	r.producer.Syncs, r.producer.Retention = w, plan.Retention{After: 2 * time.Second, MaxShare: 1}
	workers := []*rig{r, r.twin(func(*http.Response) {})}
	for i, worker := range workers {
		lead := time.Duration(i)*2*time.Minute - time.Minute
		worker.producer.Clock = func() time.Time { return time.Now().Add(lead) }
	}
	w.produce(r, plan.Absence{})

	end := time.Now().Add(*falseAlarms)
	var running sync.WaitGroup
	each := func(number uint64, pause time.Duration, do func(*rand.Rand)) {
		running.Go(func() {
			for random := rand.New(rand.NewPCG(w.seed, number)); time.Now().Before(end) && !t.Failed(); {
				do(random)
				time.Sleep(time.Duration(random.Int64N(int64(pause))))
			}
		})
	}
	for i, worker := range workers {
		var absence plan.Absence
		each(uint64(i), 300*time.Millisecond, func(*rand.Rand) { absence = w.produce(worker, absence) })
	}
	consumer, seen := r.twin(func(*http.Response) {}), plan.CatalogSeen{}
	each(2, 200*time.Millisecond, func(*rand.Rand) { seen = w.consume(consumer, seen) })
	each(3, 500*time.Millisecond, func(random *rand.Rand) { w.happen(random) })
	running.Wait()

	for range 3 {
		w.produce(workers[1], plan.Absence{})
	}
	seen = w.consume(consumer, w.consume(consumer, seen))
	require.NotZero(t, seen)
	for _, refs := range [][2]string{{"refs/heads/main", "refs/heads/stable"}, {"refs/heads/next", "refs/heads/next"}} {
		r.sync.Destination.Branch = strings.TrimPrefix(refs[1], "refs/heads/")
		there, err := r.source.Git(t.Context(), sourceRepo, "rev-parse", refs[0])
		require.NoError(t, err)
		require.Equal(t, there, r.tip(), refs[0])
	}
	tags := func(out string, err error) string { require.NoError(t, err); return out }
	list := []string{"for-each-ref", "--format=%(objectname) %(refname)", "refs/tags"}
	require.Equal(t, tags(r.source.Git(t.Context(), sourceRepo, list...)), tags(r.destination.Git(t.Context(), destinationRepo, list...)))
	t.Log(w.moved)
	require.Greater(t, w.moved["uploads"], 5)
	require.Greater(t, w.moved["pushes"], 3)
}
