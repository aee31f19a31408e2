package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A pause neither ends a failure nor has it told again, in whatever spelling it was asked for: what is known of it goes on after that.
func TestWhatIsPausedGoesOn(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		r := newRepeated(t, role)
		paused := func(activities.PlanRequest) (findings, error) {
			return findings{checked: 1, reached: 1, paused: []fleet.Pause{{Destination: "Group/Bad@main"}}}, nil
		}
		before := r.cycle(contract.CycleInput{}, cron, moving("bad"))
		require.True(t, before.failed)
		for range 2 {
			c := r.cycle(contract.CycleInput{}, cron, paused)
			require.Empty(t, c.told)
			require.Empty(t, c.report.Lags.List)
			require.Len(t, c.report.Lags.Paused, 1)
			require.Equal(t, r.at, c.report.Lags.LookedAt)
		}
		c := r.cycle(contract.CycleInput{}, cron, moving("bad"))
		require.Empty(t, c.told, "they were told before")
		require.False(t, c.failed)
		require.Empty(t, c.report.Lags.Paused)
		require.Equal(t, before.report.Lags.List[0].Since, c.report.Lags.List[0].Since)
		require.Equal(t, before.report.Lags.List[0].Failing, c.report.Lags.List[0].Failing)
		r.cycle(contract.CycleInput{}, cron, paused)
		c = r.cycle(contract.CycleInput{}, cron, moving())
		require.Equal(t, []string{"recovered group/bad@main WrongKey"}, c.destinations())
	})
}

// A child that finds its sync paused is neither a failure nor a success, and its lag goes on after the pause.
func TestPausedWhileItWaits(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		r := newRepeated(t, role)
		require.True(t, r.cycle(contract.CycleInput{}, cron, moving("bad")).failed)
		env := environment(t)
		env.SetStartTime(r.at.Add(time.Minute))
		env.SetLastError(r.failed)
		bothSides[role].plan(env, moving("bad", "new"))
		pause := func(destination project.Branch) *fleet.Pause { return &fleet.Pause{Destination: destination.String()} }
		env.OnWorkflow(workflows.ProduceProject, mock.Anything, mock.Anything).Return(func(_ workflow.Context, u plan.Upload) (activities.Uploaded, error) {
			return activities.Uploaded{Pause: pause(u.Sync.Destination)}, nil
		}).Maybe()
		env.OnWorkflow(workflows.ConsumeProject, mock.Anything, mock.Anything).Return(func(_ workflow.Context, p plan.Push) (activities.Pushed, error) {
			return activities.Pushed{Pause: pause(p.Destination)}, nil
		}).Maybe()
		executeAs(env, role, contract.CycleInput{}, cron) // and nobody is told anything
		after := report(t, env)
		require.Empty(t, after.Lags.List)
		require.Empty(t, after.Synced)
		require.Len(t, after.Paused, 2)
		require.Len(t, after.Lags.Paused, 2)
		require.Contains(t, []string{after.Lags.Paused[0].Kind, after.Lags.Paused[1].Kind}, "WrongKey", "that it fails is not forgotten")
	})
}

// A run whose first step finds the sync paused ends with that: no other step runs.
func TestRunOfAPausedSync(t *testing.T) {
	pause := &fleet.Pause{Destination: "group/ok@main", By: "ann@host", Until: time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)}
	const said = "left alone: paused until 2026-11-27T10:00:00Z, by ann@host"
	env := environment(t)
	env.OnActivity(producer.Clone, mock.Anything, mock.Anything).Return(activities.Cloned{Pause: pause}, nil).Once()
	produceProject(env, plan.Upload{})
	var uploaded activities.Uploaded
	require.NoError(t, env.GetWorkflowResult(&uploaded))
	require.Equal(t, activities.Uploaded{Summary: said, Pause: pause}, uploaded)

	env = environment(t)
	env.OnActivity(consumer.Download, mock.Anything, mock.Anything).Return(activities.Downloaded{Pause: pause}, nil).Once()
	consumeProject(env, plan.Push{})
	var pushed activities.Pushed
	require.NoError(t, env.GetWorkflowResult(&pushed))
	require.Equal(t, activities.Pushed{Summary: said, Pause: pause}, pushed)
}

// Whoever searches for what has failed finds a sync that was paused since: its run has not synced it.
func TestPausedRunHasNoOutcome(t *testing.T) {
	registered := true
	env := environment(t)
	planned(env, plan.Page[plan.Upload]{Moves: uploads(1), SearchAttributes: &registered})
	env.OnActivity(producer.Clone, mock.Anything, mock.Anything).Return(activities.Cloned{Pause: &fleet.Pause{}}, nil).Once()
	upserted := false
	env.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Run(func(mock.Arguments) { upserted = true }).Maybe()
	env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{})
	require.NoError(t, env.GetWorkflowError())
	var report contract.Report
	require.NoError(t, env.GetWorkflowResult(&report))
	require.Len(t, report.Paused, 1)
	require.False(t, upserted)
}
