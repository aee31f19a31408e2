package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// everyFiveMinutes is how often the schedule of an outage's side begins a cycle.
const everyFiveMinutes = 5 * time.Minute

// outage is a producer's side, all syncs of which have to move, with a real plan, real workflows and real pauses, on a clock that
// skips them. Something does its work only before and after a time.
type outage struct {
	*testing.T

	err   error
	scans bool             // the scan finds it, and not a step
	step  string           // which step does
	hurt  func(n int) bool // which syncs need it; nil is all

	from, until time.Time
	syncs       []project.Sync

	mu         sync.Mutex // activities of one moment run beside each other
	last       map[project.Branch]plan.Refusal
	done       map[project.Branch]time.Time
	tried      []time.Time // attempts at what is down
	failedRuns int
}

func newOutage(t *testing.T, syncs int, lasts time.Duration, err error) *outage {
	o := &outage{T: t, err: err, last: map[project.Branch]plan.Refusal{}, done: map[project.Branch]time.Time{}}
	o.from = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	o.until = o.from.Add(lasts)
	for i := range syncs {
		o.syncs = append(o.syncs, project.Sync{Source: branch(fmt.Sprintf("source%d", i)), Destination: branch(fmt.Sprintf("p%d", i))})
	}
	return o
}

// run runs cycles until all syncs are through.
func (o *outage) run() {
	o.Helper()
	var before contract.Report
	for next := o.from; len(o.done) < len(o.syncs); {
		require.Less(o, next.Sub(o.until), 6*time.Hour, "%d of %d are through", len(o.done), len(o.syncs))
		env := bareEnvironment(o.T)
		env.SetTestTimeout(5 * time.Minute)
		env.SetStartTime(next)
		env.SetLastCompletionResult(before)
		o.prepare(env)
		env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{})
		before = o.ended(env, before)
		for next = next.Add(everyFiveMinutes); next.Before(env.Now()); { // the server skips what is due while one runs
			next = next.Add(everyFiveMinutes)
		}
	}
}

// ended returns what the next cycle is told of one.
func (o *outage) ended(env *testsuite.TestWorkflowEnvironment, before contract.Report) (r contract.Report) {
	err := env.GetWorkflowError()
	if err == nil {
		return report(o.T, env)
	}
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	require.True(o, ok, err)
	if failure.Type() != plan.KindSyncsFailed {
		require.True(o, o.scans, err)
		o.failedRuns++
		return before
	}
	require.NoError(o, failure.Details(&r))
	return r
}

func (o *outage) prepare(env *testsuite.TestWorkflowEnvironment) {
	env.OnActivity(producer.PlanUploads, mock.Anything, mock.Anything).Return(func(ctx context.Context, r activities.PlanRequest) (plan.Page[plan.Upload], error) {
		if o.scans {
			if err := o.attempt(ctx, env, 0); err != nil {
				return plan.Page[plan.Upload]{}, err
			}
		}
		return o.plan(r, env.Now()), nil
	})
	step := func(name string) func(context.Context, activities.UploadWork) error {
		return func(ctx context.Context, w activities.UploadWork) error {
			var n int
			_, err := fmt.Sscanf(w.Plan.Sync.Destination.Name, "p%d", &n)
			require.NoError(o, err)
			if o.scans || o.step != name || o.hurt != nil && !o.hurt(n) {
				return nil
			}
			return o.attempt(ctx, env, n)
		}
	}
	clone, upload := step("Clone"), step("Upload")
	env.OnActivity(producer.Clone, mock.Anything, mock.Anything).Return(func(ctx context.Context, w activities.UploadWork) (activities.Cloned, error) {
		staged := activities.Staged{Host: "host", Run: w.Plan.Sync.Destination.Name}
		return activities.Cloned{Staged: staged, Bundle: archive.Bundle{ID: stored().ID}}, clone(ctx, w)
	}).Maybe()
	env.OnActivity(producer.Package, mock.Anything, mock.Anything, mock.Anything).Return(activities.Packaged{}, nil).Maybe()
	env.OnActivity(producer.Encrypt, mock.Anything, mock.Anything).Return(activities.Encrypted{}, nil).Maybe()
	env.OnActivity(producer.Upload, mock.Anything, mock.Anything, mock.Anything).Return(
		func(ctx context.Context, w activities.UploadWork, _ activities.UploadInput) (activities.Uploaded, error) {
			return activities.Uploaded{Summary: "snapshot"}, upload(ctx, w)
		}).Maybe()
	env.OnActivity(eitherSide.Cleanup, mock.Anything, mock.Anything).Return(nil).Maybe()
	env.OnActivity(producer.Publish, mock.Anything).Return(nil).Maybe()
	env.OnActivity(producer.Prune, mock.Anything, mock.Anything).Return(activities.Pruned{}, nil).Maybe()
	env.SetOnChildWorkflowCompletedListener(func(info *workflow.Info, _ converter.EncodedValue, err error) { o.note(info, env.Now(), err) })
}

// attempt is one at what is down for a while. It fails as a worker says it.
func (o *outage) attempt(ctx context.Context, env *testsuite.TestWorkflowEnvironment, _ int) error {
	now := env.Now()
	if now.Before(o.from) || !now.Before(o.until) {
		return nil
	}
	o.mu.Lock()
	o.tried = append(o.tried, now)
	o.mu.Unlock()
	return activities.NamedAt(o.err, int(activity.GetInfo(ctx).Attempt), nil)
}

// plan is the real one, of the syncs that are not through.
func (o *outage) plan(r activities.PlanRequest, now time.Time) plan.Page[plan.Upload] {
	o.mu.Lock()
	defer o.mu.Unlock()
	var left []project.Sync
	heads := map[project.Branch]plan.Head{}
	for _, s := range o.syncs {
		if _, done := o.done[s.Destination]; !done {
			left = append(left, s)
			heads[s.Destination] = plan.Head{Commit: stored().Commit}
		}
	}
	candidates, _ := plan.UploadPlanner{PageRequest: r.PageRequest, Syncs: left}.Candidates()
	page := plan.NewPage[plan.Upload](r.PageRequest)
	took := page.Add(candidates, heads, o.last, now)
	return page.Finish(len(candidates) - took)
}

// note takes in how a run ended, as Temporal tells the next plan.
func (o *outage) note(info *workflow.Info, now time.Time, err error) {
	i := slices.IndexFunc(o.syncs, func(s project.Sync) bool {
		return contract.Producer.ChildID(s.Destination) == info.WorkflowExecution.ID
	})
	require.GreaterOrEqual(o, i, 0)
	b := o.syncs[i].Destination
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.done[b] = now
		return
	}
	o.failedRuns++
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	require.True(o, ok)
	o.Logf("failed %s %s: %v", b, now.Sub(o.from), err)
	refusal := plan.Refusal{Kind: failure.Type(), Reason: failure.Message(), Ended: now}
	require.NoError(o, failure.Details(&refusal.Attempt))
	o.last[b] = refusal
}

// perMinute is how many attempts there are in a minute while the outage lasts, but for its beginning.
func (o *outage) perMinute() float64 {
	begun := o.from.Add(2 * everyFiveMinutes)
	if !o.until.After(begun) {
		return 0
	}
	n := 0
	for _, at := range o.tried {
		if at.After(begun) {
			n++
		}
	}
	return float64(n) / o.until.Sub(begun).Minutes()
}

// through is how long after the end of the outage the last of its syncs was.
func (o *outage) through() (after time.Duration) {
	for _, at := range o.done {
		after = max(after, at.Sub(o.until))
	}
	return after
}
