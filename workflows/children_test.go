package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// take makes each child work for the time that its destination's name is given, and the others for a second.
// It notes how many are at work at a time at most.
func take(env *testsuite.TestWorkflowEnvironment, times map[string]time.Duration) (most *int) {
	env.SetDetachedChildWait(false)
	atWork := 0
	most = new(int)
	env.OnWorkflow(workflows.ProduceProject, mock.Anything, mock.Anything).Return(
		func(ctx workflow.Context, u plan.Upload) (activities.Uploaded, error) {
			atWork++
			*most = max(*most, atWork)
			err := workflow.Sleep(ctx, max(time.Second, times[u.Sync.Destination.Name]))
			atWork--
			return activities.Uploaded{}, err
		})
	env.OnActivity(producer.Prune, mock.Anything, mock.Anything).Return(activities.Pruned{}, nil).Maybe()
	return most
}

// Others start although some take long, and a cycle ends before the next is due.
func TestSlowChildrenHoldNobodyUp(t *testing.T) {
	const long = time.Hour
	tests := map[string]struct {
		times    map[string]time.Duration
		uploads  int
		limits   contract.Limits
		synced   int
		running  []string
		deferred int
		most     int
		ended    time.Duration
	}{
		"none is slow": {
			times: nil, uploads: 5, limits: contract.Limits{MaxInFlight: 2}, synced: 5, most: 2, ended: 0,
		},
		"two of two": {
			times:   map[string]time.Duration{"p0": long, "p1": long},
			uploads: 5, limits: contract.Limits{MaxInFlight: 2},
			synced: 3, running: []string{"produce/group/p0@main", "produce/group/p1@main"}, most: 4, ended: 4 * time.Minute,
		},
		"they end in time": {
			times:   map[string]time.Duration{"p0": 2 * time.Minute, "p1": 3 * time.Minute},
			uploads: 5, limits: contract.Limits{MaxInFlight: 2},
			synced: 5, most: 4, ended: 3 * time.Minute,
		},
		"more than may be at work at all": {
			times:   map[string]time.Duration{"p0": long, "p1": long, "p2": long, "p3": long},
			uploads: 6, limits: contract.Limits{MaxInFlight: 1},
			running:  []string{"produce/group/p0@main", "produce/group/p1@main", "produce/group/p2@main", "produce/group/p3@main"},
			deferred: 2, most: 4, ended: 4 * time.Minute,
		},
		"less patience": {
			times:   map[string]time.Duration{"p0": long},
			uploads: 2, limits: contract.Limits{MaxInFlight: 1, WaitSeconds: 8},
			synced: 1, running: []string{"produce/group/p0@main"}, most: 2, ended: 8 * time.Second,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := environment(t)
			planned(env, plan.Uploads{Uploads: uploads(test.uploads)})
			most := take(env, test.times)
			begun := env.Now()
			env.ExecuteWorkflow(workflows.ProducerSync, contract.ProducerSyncInput{Limits: test.limits})
			r := report(t, env)
			require.Len(t, r.Synced, test.synced)
			require.Equal(t, test.running, r.Running)
			require.Equal(t, test.deferred, r.Deferred)
			require.Equal(t, test.most, *most)
			require.WithinDuration(t, begun.Add(test.ended), env.Now(), 5*time.Second)
		})
	}
}

// A slow child holds up the next page for a part of the cycle's patience only, which is that of all pages.
func TestSlowChildrenHoldNoPageUp(t *testing.T) {
	env := environment(t)
	planned(env, plan.Uploads{Uploads: uploads(3)})
	take(env, map[string]time.Duration{"p0": time.Hour})
	begun := env.Now()
	env.ExecuteWorkflow(workflows.ProducerSync, contract.ProducerSyncInput{Limits: contract.Limits{PageSize: 1}})
	next := continued(t, env)
	require.Equal(t, []string{"produce/group/p0@main"}, next.Rest.Report.Running)
	require.WithinDuration(t, begun.Add(time.Minute), env.Now(), time.Second)
	require.WithinDuration(t, begun.Add(4*time.Minute), next.Rest.Until, time.Second)

	env = environment(t)
	env.SetStartTime(next.Rest.Until.Add(-time.Second))
	env.SetContinuedExecutionRunID(next.Rest.From)
	take(env, map[string]time.Duration{"p1": time.Hour})
	env.ExecuteWorkflow(workflows.ProducerSync, next)
	r := report(t, env)
	require.Equal(t, []string{"produce/group/p0@main", "produce/group/p1@main"}, r.Running)
	require.Equal(t, 1, r.Deferred)
}

// The next cycle comes before the one that waits gives up.
func TestWaitBetween(t *testing.T) {
	require.Equal(t, contract.Limits{}.WithDefaults().WaitSeconds, contract.WaitBetween(5*time.Minute))
	for every, want := range map[time.Duration]int{time.Second: 1, 10 * time.Second: 8, time.Hour: 600, 24 * time.Hour: 600} {
		require.Equal(t, want, contract.WaitBetween(every), every)
	}
}
