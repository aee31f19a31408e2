package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// requireInvalidInput checks that nothing was done for the input. No activity is expected, so that each
// one would fail the test.
func requireInvalidInput(t *testing.T, env *testsuite.TestWorkflowEnvironment, text string) {
	t.Helper()
	var failure *temporal.ApplicationError
	require.ErrorAs(t, env.GetWorkflowError(), &failure)
	require.Equal(t, plan.KindInvalidInput, failure.Type(), failure.Message())
	require.True(t, failure.NonRetryable())
	require.Contains(t, failure.Message(), text)
}

// forged is a continuation as somebody might make one up.
func forged() *contract.Continuation {
	return &contract.Continuation{
		Position: contract.Position{Order: 7, After: 3}, Prune: true, Rollbacks: []string{"group/p0@main"},
		Report: contract.Report{Checked: 99, Absence: absence("gone")},
	}
}

// Nobody but the server continues a cycle: what is left of one would not be done, and destinations be taken for absent for long.
func TestContinuationIsNotForStarters(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		env := environment(t)
		env.ExecuteWorkflow(bothSides[role].parent, contract.CycleInput{Continuation: forged()})
		requireInvalidInput(t, env, "Start it without")

		env = environment(t) // a cron's next run is given the same input, and has another one before it
		env.SetContinuedExecutionRunID("another run")
		executeAs(env, role, contract.CycleInput{Continuation: forged()}, cron)
		requireInvalidInput(t, env, "Start it without")

		env = environment(t) // so is the next attempt, where there is a retry policy: it begins a new cycle
		env.SetContinuedExecutionRunID("the attempt before")
		bothSides[role].plan(env, func(r activities.PlanRequest) (findings, error) {
			require.Zero(t, r.After)
			require.Empty(t, r.Absence)
			return findings{checked: 7}, nil
		})
		executeAs(env, role, contract.CycleInput{Continuation: forged()}, func(info *workflow.Info) { info.Attempt = 2 })
		require.Equal(t, 7, report(t, env).Checked)

		env = environment(t)
		env.ExecuteWorkflow(bothSides[role].parent, contract.CycleInput{DryRun: true, Continuation: forged()})
		requireInvalidInput(t, env, "Start it without")

		env = environment(t)
		env.ExecuteWorkflow(bothSides[role].parent, contract.CycleInput{From: &forged().Position})
		requireInvalidInput(t, env, "is for a dry run")
	})
}

// The ID is the lock on the branch.
func TestChildrenRequireTheirID(t *testing.T) {
	env := environment(t)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "produce/group/other@main", TaskQueue: testQueue})
	env.ExecuteWorkflow(workflows.ProduceProject, uploadOf("p"))
	requireInvalidInput(t, env, `"produce/group/other@main" instead of "produce/group/p@main"`)

	env = environment(t)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "produce/group/p@main", TaskQueue: testQueue})
	env.ExecuteWorkflow(workflows.ConsumeProject, pushOf("p"))
	requireInvalidInput(t, env, `"produce/group/p@main" instead of "consume/group/p@main"`)
}

// What an operator allows has to be about something, and holds for what was asked for and no repetition of it.
func TestRollbackThatIsNotUsedIsSaid(t *testing.T) {
	for name, repeat := range repetitions {
		t.Run(name, func(t *testing.T) {
			env := environment(t)
			env.OnActivity(consumer.PlanPushes, mock.Anything, mock.Anything).Return(plan.Page[plan.Push]{Warning: "unverified"}, nil).Once()
			executeAs(env, contract.Consumer.Name, contract.CycleInput{AllowRollback: []string{"group/b@main"}}, repeat)
			require.Contains(t, report(t, env).Warning, "allow_rollback was not used")
			require.Contains(t, report(t, env).Warning, "unverified")
		})
	}
}

// repetitions are how a run is told that it repeats another one.
var repetitions = map[string]func(*workflow.Info){
	"the next attempt":   func(info *workflow.Info) { info.Attempt = 2 },
	"a reset":            func(info *workflow.Info) { info.OriginalRunID = "the run before" },
	"another run's next": func(info *workflow.Info) { info.ContinuedExecutionRunID = "the run before" },
}

// A child takes its parent's word once, and nobody else's.
func TestChildUsesRollbackOnce(t *testing.T) {
	use := func(say func(*workflow.Info), parent *workflow.Execution) (allowed bool) {
		env := environment(t)
		steps(env, nil)
		intercept(env, &told{say: func(info *workflow.Info) {
			info.ParentWorkflowExecution = parent
			say(info)
		}})
		env.SetOnActivityStartedListener(func(info *activityInfo, _ context.Context, args encodedValues) {
			var work activities.PushWork
			if info.ActivityType.Name == "Push" && args.Get(&work) == nil {
				allowed = work.Plan.AllowRollback
			}
		})
		push := pushOf("p")
		push.AllowRollback = true
		consumeProject(env, push)
		require.NoError(t, env.GetWorkflowError())
		return allowed
	}
	once := func(*workflow.Info) {}
	require.True(t, use(once, &workflow.Execution{ID: "cycle"}))
	require.False(t, use(once, nil), "started by hand")
	for name, repeat := range repetitions {
		require.False(t, use(repeat, &workflow.Execution{ID: "cycle"}), name)
	}
}

func TestRollbacksThatMakeNoSense(t *testing.T) {
	for text, names := range map[string][]string{
		"is not a branch (group/name@branch)": {"group/b"},
		"more than 100":                       slices.Repeat([]string{"group/b@main"}, 101),
	} {
		env := environment(t)
		env.ExecuteWorkflow(workflows.ConsumerSync, contract.CycleInput{AllowRollback: names})
		requireInvalidInput(t, env, text)
	}
	env := environment(t)
	bothSides[contract.Consumer.Name].plan(env, branches(0))
	executeAs(env, contract.Consumer.Name, contract.CycleInput{AllowRollback: slices.Repeat([]string{"group/b@main"}, 100)}, nil)
	r, _ := failedReport(t, env)
	require.Equal(t, plan.KindRollbackNotUsed, r.Failed[0].Kind, "100 are not too many")

	env = environment(t)
	env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{AllowRollback: []string{"group/b@main"}})
	requireInvalidInput(t, env, "allow_rollback is for ConsumerSync")
}

// What an operator allows holds for all pages of the cycle, for each branch once, and however it is spelled.
func TestRollbackHoldsForAllPages(t *testing.T) {
	for _, long := range []bool{false, true} {
		var retried [][]project.Branch
		allowed := map[string]bool{}
		in := contract.CycleInput{AllowRollback: []string{"Group/P3@main", "group/elsewhere@main"}, Limits: contract.Limits{PageSize: 2}}
		r, runs := runToEnd(t, contract.Consumer.Name, in, func(env *testsuite.TestWorkflowEnvironment) {
			env.SetContinueAsNewSuggested(long)
			bothSides[contract.Consumer.Name].plan(env, func(r activities.PlanRequest) (findings, error) {
				retried = append(retried, r.Retry)
				return branches(6)(r)
			})
			env.OnWorkflow(workflows.ConsumeProject, mock.Anything, mock.Anything).Return(func(_ workflow.Context, p plan.Push) (activities.Pushed, error) {
				allowed[p.Destination.Name] = p.AllowRollback
				return activities.Pushed{}, nil
			})
		})
		require.Equal(t, long, runs > 1)
		for i := range 6 {
			require.Equal(t, i == 3, allowed[fmt.Sprintf("p%d", i)])
		}
		require.Len(t, retried, 3)
		require.Len(t, retried[1], 2)
		require.Len(t, retried[2], 1, "it has been used")
		require.Len(t, r.Failed, 1)
		require.Equal(t, "group/elsewhere@main", r.Failed[0].Subject)
		require.Equal(t, plan.KindRollbackNotUsed, r.Failed[0].Kind)
	}
}
