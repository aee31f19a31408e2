package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// poll runs ConsumerPoll with what its activity finds at each look, until that is over. It returns what it was told at each look,
// the cycles that were run, and how it ended.
func poll(t *testing.T, in contract.PollInput, found []activities.CatalogNews, schedule func() (activities.Schedule, error), end func(workflow.Context) error) (looks []catalog.Seen, cycles []contract.CycleInput, err error) {
	t.Helper()
	env := environment(t)
	env.OnActivity(consumer.AwaitCatalog, mock.Anything, mock.Anything).Return(func(_ context.Context, seen catalog.Seen) (activities.CatalogNews, error) {
		looks = append(looks, seen)
		if len(looks) > len(found) {
			return activities.CatalogNews{}, temporal.NewNonRetryableApplicationError("over", "Over", nil)
		}
		return found[len(looks)-1], nil
	})
	env.OnActivity(anySide.ReadSchedule, mock.Anything).Return(func(context.Context) (activities.Schedule, error) { return schedule() }).Maybe()
	env.OnWorkflow(workflows.ConsumerSync, mock.Anything, mock.Anything).Return(func(ctx workflow.Context, in contract.CycleInput) (contract.Report, error) {
		require.Equal(t, "consumer-poll/sync", workflow.GetInfo(ctx).WorkflowExecution.ID)
		cycles = append(cycles, in)
		return contract.Report{}, end(ctx)
	}).Maybe()
	env.ExecuteWorkflow(workflows.ConsumerPoll, in)
	return looks, cycles, env.GetWorkflowError()
}

func runs() (activities.Schedule, error) { return activities.Schedule{Runs: true}, nil }

func version(n int64) catalog.Seen { return catalog.Seen{ETag: "x", Sequence: n} }

// What has moved is synced at once, and nothing else: one cycle after the other, whether or not the one before failed.
func TestPollSyncsWhatMoved(t *testing.T) {
	found := []activities.CatalogNews{
		{Seen: version(1), All: true},
		{Seen: version(2)},
		{Seen: version(3), Moved: []project.Branch{branch("a"), {Group: "g/h", Name: "b", Branch: "refs/tags/*"}}},
		{Seen: version(4), Moved: []project.Branch{branch("a")}},
	}
	for name, end := range map[string]func(workflow.Context) error{
		"well": func(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Minute) },
		"not": func(workflow.Context) error {
			return temporal.NewNonRetryableApplicationError("1 failed", "SyncsFailed", nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			looks, cycles, err := poll(t, contract.PollInput{SearchAttributes: true, Seen: version(7)}, found, runs, end)
			require.ErrorContains(t, err, "over")
			require.Equal(t, []catalog.Seen{version(7), version(1), version(2), version(3), version(4)}, looks)
			quick := contract.Limits{WaitSeconds: 60}
			require.Equal(t, []contract.CycleInput{
				{SearchAttributes: true},
				{SearchAttributes: true, Limits: quick, Only: []string{"group/a@main", "g/h/b@refs/tags/*"}},
				{SearchAttributes: true, Limits: quick, Only: []string{"group/a@main"}},
			}, cycles)
		})
	}
}

// Who pauses the schedule pauses this, too. What has moved meanwhile is the schedule's.
func TestPollKeepsToThePause(t *testing.T) {
	found := []activities.CatalogNews{{Seen: version(1), All: true}, {Seen: version(2), Moved: []project.Branch{branch("a")}}}
	for name, schedule := range map[string]func() (activities.Schedule, error){
		"paused": func() (activities.Schedule, error) { return activities.Schedule{}, nil },
		"not known": func() (activities.Schedule, error) {
			return activities.Schedule{}, errors.New("temporal does not answer")
		},
	} {
		looks, cycles, err := poll(t, contract.PollInput{}, found, schedule, nil)
		require.ErrorContains(t, err, "over", name)
		require.Equal(t, []catalog.Seen{{}, version(1), version(2)}, looks, name)
		require.Empty(t, cycles, name)
	}
}

// It goes on for ever, in runs of a bounded length, and forgets nothing.
func TestPollGoesOn(t *testing.T) {
	found := make([]activities.CatalogNews, 300)
	for i := range found {
		found[i].Seen = version(int64(i))
	}
	looks, _, err := poll(t, contract.PollInput{SearchAttributes: true}, found, runs, nil)
	require.Len(t, looks, 200)
	again, ok := errors.AsType[*workflow.ContinueAsNewError](err)
	require.True(t, ok)
	var in contract.PollInput
	require.NoError(t, fromPayloads(again.Input, &in))
	require.Equal(t, contract.PollInput{SearchAttributes: true, Seen: version(199)}, in)
}

// Where it is cancelled, it waits for its cycle, which cleans up.
func TestPollIsCancelled(t *testing.T) {
	env := environment(t)
	cleaned, atTheEnd := false, false
	parent := func(ctx workflow.Context, in contract.PollInput) error { // the test's environment ends with the last child
		err := workflows.ConsumerPoll(ctx, in)
		atTheEnd = cleaned
		return err
	}
	env.RegisterWorkflow(parent)
	env.OnActivity(consumer.AwaitCatalog, mock.Anything, mock.Anything).Return(activities.CatalogNews{All: true}, nil).Once()
	env.OnActivity(anySide.ReadSchedule, mock.Anything).Return(activities.Schedule{Runs: true}, nil)
	env.OnWorkflow(workflows.ConsumerSync, mock.Anything, mock.Anything).Return(func(ctx workflow.Context, _ contract.CycleInput) (contract.Report, error) {
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
		err := workflow.Sleep(ctx, time.Hour)
		cleaned = true
		return contract.Report{}, err
	})
	env.ExecuteWorkflow(parent, contract.PollInput{})
	var canceled *temporal.CanceledError
	require.ErrorAs(t, env.GetWorkflowError(), &canceled)
	require.True(t, atTheEnd)
}

// An activity whose worker is lost is tried again, however often.
func TestPollOutlivesItsWorkers(t *testing.T) {
	env := environment(t)
	tries := 0
	env.OnActivity(consumer.AwaitCatalog, mock.Anything, mock.Anything).Return(func(context.Context, catalog.Seen) (activities.CatalogNews, error) {
		if tries++; tries < 9 { // more than other scans, and less than the test environment allows
			return activities.CatalogNews{}, errors.New("lost")
		}
		return activities.CatalogNews{}, temporal.NewNonRetryableApplicationError("over", "Over", nil)
	})
	env.ExecuteWorkflow(workflows.ConsumerPoll, contract.PollInput{})
	require.ErrorContains(t, env.GetWorkflowError(), "over")
	require.Equal(t, 9, tries)
}
