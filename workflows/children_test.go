package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// take makes each child work for the time that its destination's name is given, and the others for a second.
// It notes how many are at work at a time at most.
func take(env *testsuite.TestWorkflowEnvironment, role string, times map[string]time.Duration) (most *int) {
	env.SetDetachedChildWait(false)
	atWork := 0
	most = new(int)
	running(env, func(ctx workflow.Context, name string) error {
		atWork++
		*most = max(*most, atWork)
		err := workflow.Sleep(ctx, max(time.Second, times[name]))
		atWork--
		return err
	})
	return most
}

// running has each branch end as it is told, once it has started: a child that is mocked tells its parent of that when it ends.
func running(env *testsuite.TestWorkflowEnvironment, end func(ctx workflow.Context, name string) error) {
	inPlaceOf := func(child string) workflow.RegisterOptions {
		return workflow.RegisterOptions{Name: child, DisableAlreadyRegisteredCheck: true}
	}
	env.RegisterWorkflowWithOptions(func(ctx workflow.Context, u plan.Upload) (activities.Uploaded, error) {
		return activities.Uploaded{Summary: "done"}, end(ctx, u.Sync.Destination.Name)
	}, inPlaceOf(contract.Producer.Child))
	env.RegisterWorkflowWithOptions(func(ctx workflow.Context, p plan.Push) (activities.Pushed, error) {
		return activities.Pushed{Summary: "done"}, end(ctx, p.Destination.Name)
	}, inPlaceOf(contract.Consumer.Child))
}

// Others start although some take long, and a cycle ends before the next is due.
func TestSlowChildrenHoldNobodyUp(t *testing.T) {
	const long = time.Hour
	tests := map[string]struct {
		times    map[string]time.Duration
		branches int
		limits   contract.Limits
		synced   int
		running  []string
		deferred int
		left     int
		most     int
		ended    time.Duration
	}{
		"none is slow": {
			times: nil, branches: 5, limits: contract.Limits{MaxInFlight: 2}, synced: 5, most: 2, ended: 0,
		},
		"two of two": {
			times:    map[string]time.Duration{"p0": long, "p1": long},
			branches: 5, limits: contract.Limits{MaxInFlight: 2},
			synced: 3, running: []string{"p0", "p1"}, most: 4, ended: 4 * time.Minute,
		},
		"they end in time": {
			times:    map[string]time.Duration{"p0": 2 * time.Minute, "p1": 3 * time.Minute},
			branches: 5, limits: contract.Limits{MaxInFlight: 2},
			synced: 5, most: 4, ended: 3 * time.Minute,
		},
		"more than may be at work at all": {
			times:    map[string]time.Duration{"p0": long, "p1": long, "p2": long, "p3": long},
			branches: 6, limits: contract.Limits{MaxInFlight: 1},
			running:  []string{"p0", "p1", "p2", "p3"},
			deferred: 2, most: 4, ended: 4 * time.Minute,
		},
		"in pages of one": {
			times:    map[string]time.Duration{"p0": long, "p1": long, "p2": long, "p3": long},
			branches: 7, limits: contract.Limits{MaxInFlight: 1, PageSize: 1},
			running:  []string{"p0", "p1", "p2", "p3"},
			deferred: 1, left: 2, most: 4, ended: 4 * time.Minute,
		},
		"less patience": {
			times:    map[string]time.Duration{"p0": long},
			branches: 2, limits: contract.Limits{MaxInFlight: 1, WaitSeconds: 8},
			synced: 1, running: []string{"p0"}, most: 2, ended: 8 * time.Second,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			onBothSides(t, func(t *testing.T, role string) {
				env := environment(t)
				bothSides[role].plan(env, branches(test.branches))
				most := take(env, role, test.times)
				begun := env.Now()
				env.ExecuteWorkflow(bothSides[role].parent, contract.CycleInput{Limits: test.limits})
				r := report(t, env)
				var running []string
				for _, name := range test.running {
					running = append(running, bothSides[role].childID(branch(name)))
				}
				require.Len(t, r.Synced, test.synced)
				require.Equal(t, running, r.Running)
				require.Equal(t, test.deferred, r.Deferred)
				require.Equal(t, test.left, r.Unchecked)
				require.Equal(t, test.most, *most)
				require.WithinDuration(t, begun.Add(test.ended), env.Now(), 5*time.Second)
			})
		})
	}
}

// Children are counted for the whole cycle, and its patience is that of all its runs. A slow one holds a new run up until it
// is slow, and nobody else.
func TestLimitsHoldForTheWholeCycle(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		times := map[string]time.Duration{}
		for i := range 20 {
			times[fmt.Sprintf("p%d", i)] = time.Hour
		}
		delete(times, "p1")
		var started []int
		var last *testsuite.TestWorkflowEnvironment
		limits := contract.Limits{MaxInFlight: 1, PageSize: 1, WaitSeconds: 600}
		r, runs := runToEnd(t, role, contract.CycleInput{Limits: limits}, func(env *testsuite.TestWorkflowEnvironment) {
			last = env
			env.SetContinueAsNewSuggested(true)
			bothSides[role].plan(env, branches(20))
			started = append(started, 0)
			env.SetDetachedChildWait(false)
			running(env, func(ctx workflow.Context, name string) error {
				started[len(started)-1]++
				return workflow.Sleep(ctx, max(time.Second, times[name]))
			})
		})
		require.Equal(t, []int{1, 1, 1, 1, 1, 0}, started, "four hang, and one has ended in between")
		require.Equal(t, 6, runs)
		require.Len(t, r.Synced, 1)
		require.Len(t, r.Running, 4)
		require.Equal(t, 1, r.Deferred)
		require.Equal(t, 14, r.Unchecked)
		if role == contract.Consumer.Name { // the producer's last step is another
			require.Equal(t, "1 of 6 syncs done, 0 at work, 0 failed", status(t, last).Step)
		}
	})
}

// A cancelled cycle waits until its children have cleaned up, whether or not all of them have started.
func TestCycleCancelled(t *testing.T) {
	for name, tt := range map[string]struct {
		limits   contract.Limits
		started  int
		planning bool // when it is cancelled, and not half a minute after its beginning
	}{
		"at its end":        {contract.Limits{}, 3, false},
		"at its next page":  {contract.Limits{PageSize: 2}, 3, false},
		"without room":      {contract.Limits{MaxInFlight: 2}, 2, false},
		"while it plans":    {contract.Limits{PageSize: 2}, 2, true},
		"with none at work": {contract.Limits{PageSize: 1}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			onBothSides(t, func(t *testing.T, role string) {
				env := environment(t)
				cleaned, atTheEnd := 0, 0
				// The test's environment ends with the last child, and not with the parent.
				parent := func(ctx workflow.Context, in contract.CycleInput) (contract.Report, error) {
					report, err := bothSides[role].parent(ctx, in)
					atTheEnd = cleaned
					return report, err
				}
				env.RegisterWorkflow(parent)
				bothSides[role].plan(env, func(r activities.PlanRequest) (findings, error) {
					if tt.planning && r.After > 0 {
						env.CancelWorkflow()
						return findings{}, temporal.NewCanceledError()
					}
					found, err := branches(3)(r)
					if tt.started == 0 {
						found.moves = nil
					}
					return found, err
				})
				bothSides[role].children(env, func(ctx workflow.Context, _ string) error {
					err := workflow.Sleep(ctx, time.Hour)
					ctx, cancel := workflow.NewDisconnectedContext(ctx)
					defer cancel()
					if workflow.Sleep(ctx, time.Minute) == nil {
						cleaned++
					}
					return err
				})
				if !tt.planning {
					env.RegisterDelayedCallback(env.CancelWorkflow, 30*time.Second) // a busy machine may take seconds to plan
				}
				env.ExecuteWorkflow(parent, contract.CycleInput{Limits: tt.limits})
				var cancelled *temporal.CanceledError
				require.ErrorAs(t, env.GetWorkflowError(), &cancelled)
				require.Equal(t, tt.started, atTheEnd)
			})
		})
	}
}

// A cycle whose time is up leaves children alone that have started, and waits for the others to start: the server never gives a task
// to one whose parent has ended before.
func TestCycleLeavesNoChildThatHasNotStarted(t *testing.T) {
	for name, begins := range map[string]time.Duration{"at once": 0, "late": 30 * time.Second} {
		t.Run(name, func(t *testing.T) {
			env := environment(t)
			env.SetDetachedChildWait(false)
			bothSides[contract.Consumer.Name].plan(env, branches(1))
			if begins == 0 {
				take(env, contract.Consumer.Name, map[string]time.Duration{"p0": time.Hour})
			} else {
				env.OnWorkflow(workflows.ConsumeProject, mock.Anything, mock.Anything).After(begins).Return(activities.Pushed{}, nil)
			}
			begun := env.Now()
			env.ExecuteWorkflow(workflows.ConsumerSync, contract.CycleInput{Limits: contract.Limits{WaitSeconds: 8}})
			require.NoError(t, env.GetWorkflowError())
			require.WithinDuration(t, begun.Add(max(begins, 8*time.Second)), env.Now(), time.Second)
		})
	}
}
