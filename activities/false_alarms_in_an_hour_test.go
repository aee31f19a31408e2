package activities

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	// timeLapse is how much faster the clocks of both sides go than the bucket's.
	timeLapse = 60
	// simulatedHour is an hour by these clocks.
	simulatedHour = time.Hour / timeLapse
	// leastPlans and leastPushes are what the hour is extended for on a busy machine.
	leastPlans, leastPushes = 10, 5
	// cyclesEvery is how often the producer says that cycles begin. On a busy machine, one takes seconds.
	cyclesEvery = 10 * time.Minute
)

// alarms are the kinds of failures that say that somebody tampers with the bucket, or that the producer has stopped.
var alarms = []string{
	plan.KindObjectWithheld, plan.KindCatalogMissing, plan.KindCatalogInvalid, plan.KindCatalogReplayed, plan.KindCatalogStale, "Replayed", "BadSignature",
}

// lapse is an hour of a pair, in time lapse: one producer of two workers, whose clocks differ, a consumer whose requests are slow,
// and syncs that stay as they are.
type lapse struct {
	*rig
	began     time.Time
	producers []*rig // the same but for the producer
	syncs     []project.Sync

	mu      sync.Mutex // of what is below
	rand    *rand.Rand
	running map[project.Branch]bool // the destinations that a run of the producer is about
	alarmed []string

	uploads, pushes, plans atomic.Int64
	undelivered            atomic.Value // the last push that failed, in words
}

func newLapse(t *testing.T) *lapse {
	t.Helper()
	l := &lapse{rig: newTrustedRig(t), began: time.Now(), rand: rand.New(rand.NewPCG(1, 0)), running: map[project.Branch]bool{}}
	for _, name := range []string{"a", "b", "c", "refs/tags/*"} {
		s := l.sync
		s.Source.Branch, s.Destination.Branch = name, name
		l.syncs = append(l.syncs, s)
		if !s.Source.IsSet() {
			l.commitOn(name, "first")
		}
	}
	l.tag()
	first := l.producer
	for _, ahead := range []time.Duration{time.Minute, -time.Minute} {
		worker := *l.rig
		worker.producer = &Producer{
			Common: Common{Bucket: first.Bucket, Staging: l.area(), Host: "p", Clock: l.clock(ahead), LastRuns: first.LastRuns},
			Syncs:  &listed{syncs: l.syncs}, Source: first.Source, ThinPacks: true, Recipients: first.Recipients, Signer: first.Signer,
			Retention: first.Retention, Version: "test", CatalogInterval: time.Minute,
		}
		l.producers = append(l.producers, &worker)
	}
	l.consumer.Clock = l.clock(0)
	// Between any two requests of a plan, the other side can do much.
	slow := &lag{before: func(r *http.Request) {
		if query := r.URL.Query(); query.Has("list-type") && query.Get("prefix") == "" || strings.HasSuffix(r.URL.Path, "/"+catalog.Key) {
			l.pause(time.Second)
		}
	}}
	read, err := bucket.Open(t.Context(), bucket.Options{Name: l.s3.Name, PathStyle: true}, l.s3.ClientConfig(l.s3.Consumer), config.WithBaseEndpoint(slow.serve(t, l.s3.URL())))
	require.NoError(t, err)
	l.consumer.Bucket = read
	l.lag.before = func(*http.Request) { l.pause(time.Second / 10) }
	return l
}

// clock is one of the lapse's that is ahead of the others.
func (l *lapse) clock(ahead time.Duration) func() time.Time {
	return func() time.Time { return l.began.Add(timeLapse*time.Since(l.began) + ahead) }
}

func (l *lapse) intN(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rand.IntN(n)
}

// pause lets less than some time pass.
func (l *lapse) pause(most time.Duration) { time.Sleep(time.Duration(l.intN(int(most)))) }

// worker is any of the producer's: Temporal gives each step to one that is free.
func (l *lapse) worker() *rig { return l.producers[l.intN(len(l.producers))] }

// perform runs an activity as a worker does. Unlike must, it can be called by several at a time.
func perform[I, O any](activity func(context.Context, I) (O, error), in I) (out O, err error) {
	env := newActivities()
	env.RegisterActivity(activity)
	value, err := env.ExecuteActivity(activity, in)
	if err == nil {
		err = value.Get(&out)
	}
	return out, err
}

// note counts an alarm.
func (l *lapse) note(kind, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Contains(alarms, kind) {
		l.alarmed = append(l.alarmed, fmt.Sprintf("after %s: %s: %s", l.clock(0)().Sub(l.began).Truncate(time.Second), kind, what))
	}
}

// work does one of the things that people do at the source.
func (l *lapse) work() {
	branches := []string{"a", "b", "c"}
	name := branches[l.intN(len(branches))]
	switch l.intN(8) {
	default:
		_, _ = l.source.Commit(l.Context(), sourceRepo, name, map[string]string{"file": random(1000)}, "more")
	case 0:
		_, _ = l.source.Git(l.Context(), sourceRepo, "update-ref", "refs/heads/"+name, "refs/heads/"+name+"~1") // as far as there is one
	case 1:
		_, _ = l.source.Git(l.Context(), sourceRepo, "update-ref", "refs/heads/"+name, "refs/heads/"+branches[l.intN(len(branches))])
	case 2:
		l.tag()
	}
}

func (l *lapse) tag() {
	_, _ = l.source.Git(l.Context(), sourceRepo, "tag", fmt.Sprintf("v%d", time.Now().UnixNano()), "refs/heads/a")
}

// produce is a cycle of the producer's. It does not always wait for what it has started.
func (l *lapse) produce() {
	page, err := perform(l.worker().producer.PlanUploads, PlanRequest{IntervalSeconds: int(cyclesEvery.Seconds())})
	if err != nil {
		l.note("CatalogMissing", "no plan: "+err.Error())
		return
	}
	var children sync.WaitGroup
	for _, u := range page.Moves {
		if l.starts(u.Sync.Destination) {
			children.Go(func() { l.child(u) })
		}
	}
	over := make(chan struct{})
	go func() { defer close(over); children.Wait() }()
	select {
	case <-over:
	case <-time.After(time.Duration(l.intN(int(10 * time.Second)))):
	}
	_, err = perform(func(ctx context.Context, _ int) (int, error) { return 0, l.worker().producer.Publish(ctx) }, 0)
	if err != nil {
		l.note("CatalogMissing", "not published: "+err.Error())
	}
	_, _ = perform(l.worker().producer.Prune, PruneRequest{})
}

// starts tells whether no run is about the destination yet: Temporal has one of each name.
func (l *lapse) starts(destination project.Branch) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running[destination] {
		return false
	}
	l.running[destination] = true
	l.runs.mu.Lock()
	defer l.runs.mu.Unlock()
	delete(l.runs.ends, destination.String()) // it is not over
	return true
}

// child is a run of the producer's. A few are terminated by hand at the end, so that nobody learns what they have uploaded.
func (l *lapse) child(u plan.Upload) {
	destination := u.Sync.Destination
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.running, destination)
	}()
	worker := l.worker()
	p, err := perform(worker.clone, u)
	if err == nil {
		p, err = perform(worker.pack, p)
	}
	if err == nil {
		p, err = perform(worker.encrypt, p)
	}
	if err != nil {
		l.ended(destination, Uploaded{}, err)
		return
	}
	if _, err = perform(worker.upload, p); err == nil {
		l.uploads.Add(1)
	}
	if l.intN(20) == 0 {
		l.ended(destination, Uploaded{}, temporal.NewApplicationError("terminated", "ChildFailed"))
	}
}

// In an hour nobody is alarmed: not by what one side sees of the other in the middle of its work, by the age of a catalog or
// by clocks that differ, and not by cycles beside others and runs whose end nobody learns. Failures that are no alarm may be.
// Syncs that change are of TestNoFalseAlarmsAsSyncsChange, which lets no failure pass.
func TestNoFalseAlarmsInAnHour(t *testing.T) {
	t.Parallel()
	l := newLapse(t)
	var sides sync.WaitGroup
	until := time.Now().Add(simulatedHour)
	during := func(most time.Duration, do func()) {
		sides.Go(func() {
			for time.Now().Before(until) || l.plans.Load() <= leastPlans || l.pushes.Load() <= leastPushes {
				do()
				l.pause(most)
			}
		})
	}
	var remembered plan.CatalogSeen
	during(2*time.Second, l.work)
	during(time.Second, l.produce)
	during(3*time.Second, l.produce) // one that was started by hand
	during(time.Second/2, func() { remembered = l.consume(remembered) })
	sides.Wait()

	t.Cleanup(func() {
		if last := l.undelivered.Load(); t.Failed() && last != nil {
			t.Log("the last push that failed:", last)
		}
	})
	require.Eventually(t, func() bool {
		l.produce()
		remembered = l.consume(remembered)
		return l.inStep()
	}, 2*time.Minute, time.Second, "both sides are not in step when all is quiet")
	t.Logf("%d plans of the consumer, %d uploads, %d pushes", l.plans.Load(), l.uploads.Load(), l.pushes.Load())
	require.Empty(t, l.alarmed, strings.Join(l.alarmed, "\n"))
}

// inStep tells whether all refs are the same on both sides.
func (l *lapse) inStep() bool {
	refs := []string{"for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"}
	source, err := l.source.Git(l.Context(), sourceRepo, refs...)
	require.NoError(l, err)
	destination, err := l.destination.Git(l.Context(), destinationRepo, refs...)
	require.NoError(l, err)
	return source == destination
}
