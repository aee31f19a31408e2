package workflows_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// However often a project is pushed to within a second, one sync of it runs, and one after it.
func TestBurstOfPushes(t *testing.T) {
	t.Parallel()
	e := newEvents(t, taking(5*time.Second))
	for i := range 100 {
		e.signal(time.Duration(i)*10*time.Millisecond, []string{"mirror/app@main", "Mirror/App@refs/heads/main"}[i%2]) // one in two spellings
	}
	require.Equal(t, contract.PushEventsReport{Batches: 2}, e.run(t, contract.PushEventsInput{}))
	require.Equal(t, contract.CycleInput{Only: []string{"mirror/app@main"}, SearchAttributes: true, Limits: contract.Limits{WaitSeconds: 30}}, e.batches[0])
	require.Len(t, e.batches[1].Only, 1)
}

// What comes one after the other is one batch each, up to four; all that comes then is in few.
func TestManyPushes(t *testing.T) {
	t.Parallel()
	e := newEvents(t, taking(5*time.Second))
	all := destinations(1000)
	for i, name := range all[:4] {
		e.signal(time.Duration(i)*10*time.Millisecond, name)
	}
	for names := range slices.Chunk(all[4:], 50) {
		e.signal(time.Second, names...)
	}
	require.Equal(t, contract.PushEventsReport{Batches: 4 + 5}, e.run(t, contract.PushEventsInput{}))
	looked := map[string]int{}
	for _, in := range e.batches {
		for _, name := range in.Only {
			looked[name]++
		}
	}
	require.Len(t, looked, len(all))
	require.Len(t, e.batches[4].Only, contract.MaxOnly)
	require.Len(t, e.ids, len(e.batches))
}

// What there is no room for is left to the schedule, and so is what is no destination, which fails no batch.
func TestTooManyPushes(t *testing.T) {
	t.Parallel()
	e := newEvents(t, taking(time.Second))
	e.signal(0, append(destinations(10_005), "nonsense", "", "a/b@../c")...)
	require.Equal(t, contract.PushEventsReport{Batches: 50, Dropped: 5 + 3}, e.run(t, contract.PushEventsInput{}))
}

// Push events only hasten what the schedule would do: where it is paused, or there is none, they do nothing.
func TestPushesWhilePaused(t *testing.T) {
	t.Parallel()
	e := newEvents(t, taking(time.Second))
	e.schedule.Runs = false
	e.signal(0, "mirror/a@main", "mirror/b@main")
	require.Equal(t, contract.PushEventsReport{Dropped: 2}, e.run(t, contract.PushEventsInput{}))
	require.Empty(t, e.batches)
}

func TestPushesWithoutASchedule(t *testing.T) {
	t.Parallel()
	env := environment(t)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: contract.PushEventsID, TaskQueue: testQueue})
	env.OnActivity(anySide.ReadSchedule, mock.Anything).Return(activities.Schedule{}, errors.New("temporal does not answer"))
	env.RegisterDelayedCallback(func() {
		env.SignalWorkflow(contract.SignalPush, contract.Push{Destinations: []string{"mirror/a@main"}})
	}, 0)
	env.ExecuteWorkflow(workflows.PushEvents, contract.PushEventsInput{})
	var report contract.PushEventsReport
	require.NoError(t, env.GetWorkflowResult(&report))
	require.Equal(t, contract.PushEventsReport{Dropped: 1}, report)
}

// A child that another cycle has started may have seen the source before the push: the destination is looked at again once it
// has ended, and not for ever.
func TestPushWhileItsChildRuns(t *testing.T) {
	t.Parallel()
	busy := contract.Report{Running: []string{contract.Producer.ChildID(branch("busy"))}}
	for name, tt := range map[string]struct {
		runs int // so many batches find the child running
		want contract.PushEventsReport
		took time.Duration
	}{
		"once":     {1, contract.PushEventsReport{Batches: 2}, time.Second},
		"thrice":   {3, contract.PushEventsReport{Batches: 4}, 7 * time.Second},
		"for ever": {1000, contract.PushEventsReport{Batches: 20, Dropped: 1}, 240 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEvents(t, func(_ workflow.Context, n int, in contract.CycleInput) (contract.Report, error) {
				if n > 1 {
					require.Equal(t, []string{"group/busy@main"}, in.Only, "the other one was done")
				}
				if n <= tt.runs {
					return busy, nil
				}
				return contract.Report{}, nil
			})
			start := e.Now()
			e.signal(0, "group/done@main", "group/busy@main")
			require.Equal(t, tt.want, e.run(t, contract.PushEventsInput{}))
			require.InDelta(t, tt.took.Seconds(), e.Now().Sub(start).Seconds(), 0.2*tt.took.Seconds())
		})
	}
}

// A batch whose time was up says of how many, but not of which, it has not come to: all of it is looked at again.
func TestBatchWithoutTime(t *testing.T) {
	t.Parallel()
	for name, unfinished := range map[string]contract.Report{"deferred": {Deferred: 1}, "unchecked": {Unchecked: 1}, "running": {RunningMore: 1}} {
		e := newEvents(t, func(_ workflow.Context, n int, _ contract.CycleInput) (contract.Report, error) {
			if n == 1 {
				return unfinished, nil
			}
			return contract.Report{}, nil
		})
		e.signal(0, destinations(3)...)
		require.Equal(t, contract.PushEventsReport{Batches: 2}, e.run(t, contract.PushEventsInput{}), name)
		require.Equal(t, e.batches[0], e.batches[1])
	}
}

// What fails is the batch's to say; the next cycle tries it again.
func TestBatchFails(t *testing.T) {
	t.Parallel()
	var report contract.Report
	report.Fail(plan.Failure{Subject: "mirror/p0@main", Kind: "K", Reason: "broken"})
	report.Running = []string{contract.Producer.ChildID(branch("busy"))}
	for name, tt := range map[string]struct {
		err  error
		want contract.PushEventsReport
	}{
		"a sync":     {report.Err(), contract.PushEventsReport{Batches: 2, Failed: 1}},
		"the plan":   {named("GraphQLFailed"), contract.PushEventsReport{Batches: 1, Failed: 1}},
		"terminated": {errors.New("terminated"), contract.PushEventsReport{Batches: 1, Failed: 1}},
	} {
		e := newEvents(t, func(_ workflow.Context, n int, _ contract.CycleInput) (contract.Report, error) {
			if n == 1 {
				return contract.Report{}, tt.err
			}
			return contract.Report{}, nil
		})
		e.signal(0, "mirror/p0@main", "group/busy@main")
		require.Equal(t, tt.want, e.run(t, contract.PushEventsInput{}), name)
	}
}

// A run whose history is long lets its batches end, and hands on what waits: nothing is lost, nor looked at twice at a time.
func TestPushEventsContinueAsNew(t *testing.T) {
	t.Parallel()
	e := newEvents(t, taking(5*time.Second))
	e.signal(0, "mirror/a@main")
	e.RegisterDelayedCallback(func() { e.SetContinueAsNewSuggested(true) }, time.Second)
	e.signal(2*time.Second, "mirror/a@main", "mirror/b@main")
	e.ExecuteWorkflow(workflows.PushEvents, contract.PushEventsInput{SoFar: contract.PushEventsReport{Dropped: 7}})
	next, ok := errors.AsType[*workflow.ContinueAsNewError](e.GetWorkflowError())
	require.True(t, ok)
	require.Equal(t, contract.PushEvents, next.WorkflowType.Name)
	var in contract.PushEventsInput
	require.NoError(t, fromPayloads(next.Input, &in))
	require.Equal(t, contract.PushEventsInput{Pending: []string{"mirror/a@main", "mirror/b@main"}, SoFar: contract.PushEventsReport{Batches: 1, Dropped: 7}}, in)

	e = newEvents(t, taking(time.Second))
	require.Equal(t, contract.PushEventsReport{Batches: 2, Dropped: 7}, e.run(t, in))
	require.Equal(t, map[string]bool{"producer-events/2": true}, e.ids)
	require.Equal(t, []string{"mirror/a@main", "mirror/b@main"}, e.batches[0].Only)
}

// What is handed on fits into what Temporal takes, however long the names are and however JSON writes them.
func TestPendingIsBounded(t *testing.T) {
	t.Parallel()
	e := newEvents(t, taking(time.Hour))
	var names []string
	for i := range 10_000 {
		names = append(names, fmt.Sprintf("mirror/p%d@%0100d<<<<<<<<<<<<<<<<<<<<<<<<<<<<<", i, i))
	}
	e.signal(0, names...)
	e.RegisterDelayedCallback(func() { e.SetContinueAsNewSuggested(true) }, time.Minute)
	e.signal(2*time.Minute, names...)
	e.ExecuteWorkflow(workflows.PushEvents, contract.PushEventsInput{})
	next, ok := errors.AsType[*workflow.ContinueAsNewError](e.GetWorkflowError())
	require.True(t, ok)
	require.Less(t, len(next.Input.GetPayloads()[0].GetData()), temporalLimit*3/4)
	require.Greater(t, len(next.Input.GetPayloads()[0].GetData()), temporalLimit/4)
}

// A cancelled run ends after its batches.
func TestCancelledPushEvents(t *testing.T) {
	t.Parallel()
	ended := false
	e := newEvents(t, func(ctx workflow.Context, _ int, _ contract.CycleInput) (contract.Report, error) {
		err := workflow.Sleep(ctx, time.Hour)
		ended = true
		return contract.Report{}, err
	})
	e.signal(0, "mirror/a@main")
	e.RegisterDelayedCallback(e.CancelWorkflow, 30*time.Second)
	e.ExecuteWorkflow(workflows.PushEvents, contract.PushEventsInput{})
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, e.GetWorkflowError(), &cancelled)
	require.True(t, ended)
}

// Two of them would have a destination in two batches at a time.
func TestPushEventsHaveOneID(t *testing.T) {
	t.Parallel()
	env := environment(t)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "mine", TaskQueue: testQueue})
	env.ExecuteWorkflow(workflows.PushEvents, contract.PushEventsInput{})
	failure, ok := errors.AsType[*temporal.ApplicationError](env.GetWorkflowError())
	require.True(t, ok)
	require.Equal(t, plan.KindInvalidInput, failure.Type())
}
