package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// requireInvalidInput checks that nothing was done for the input. No activity is expected, so that each
// one would fail the test.
func requireInvalidInput(t *testing.T, env *testsuite.TestWorkflowEnvironment, text string) {
	t.Helper()
	var failure *temporal.ApplicationError
	require.ErrorAs(t, env.GetWorkflowError(), &failure)
	require.Equal(t, contract.KindInvalidInput, failure.Type(), failure.Message())
	require.True(t, failure.NonRetryable())
	require.Contains(t, failure.Message(), text)
}

// Nobody but the server continues a cycle: what is left of one would be done unseen.
func TestRestIsNotForStarters(t *testing.T) {
	for _, from := range []string{"", "a run"} {
		env := environment(t)
		env.ExecuteWorkflow(workflows.ProducerSync, contract.ProducerSyncInput{
			Rest: &contract.ProducerRest{From: from, Prune: true},
		})
		requireInvalidInput(t, env, "Start it without")

		env = environment(t)
		env.ExecuteWorkflow(workflows.ConsumerSync, contract.ConsumerSyncInput{
			Rest: &contract.ConsumerRest{From: from, Pushes: pushes("a")},
		})
		requireInvalidInput(t, env, "Start it without")
	}
}

// A cron, or a retry policy, gives its next run the same input: what was left to do then is no longer.
func TestRestOfAnotherRunIsPlannedAnew(t *testing.T) {
	for _, from := range []string{"", "a run"} {
		env := environment(t)
		env.SetContinuedExecutionRunID("another run")
		planned(env, plan.Uploads{Checked: 7})
		env.ExecuteWorkflow(workflows.ProducerSync, contract.ProducerSyncInput{
			Rest: &contract.ProducerRest{From: from, Prune: true, Uploads: uploads(1)},
		})
		require.Equal(t, 7, report(t, env).Checked)

		env = environment(t)
		env.SetContinuedExecutionRunID("another run")
		env.OnActivity(consumer.PlanPushes, mock.Anything, mock.Anything).Return(plan.Pushes{Checked: 7}, nil).Once()
		env.ExecuteWorkflow(workflows.ConsumerSync, contract.ConsumerSyncInput{
			Rest: &contract.ConsumerRest{From: from, Pushes: pushes("a")},
		})
		require.Equal(t, 7, report(t, env).Checked)
	}
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

// What an operator allows has to be about something.
func TestRollbackThatIsNotUsedIsSaid(t *testing.T) {
	env := environment(t)
	env.OnActivity(consumer.PlanPushes, mock.Anything, mock.Anything).Return(plan.Pushes{}, nil).Once()
	env.SetContinuedExecutionRunID("an earlier run of a retry policy")
	env.ExecuteWorkflow(workflows.ConsumerSync, contract.ConsumerSyncInput{AllowRollback: []string{"group/b@main"}})
	require.Contains(t, report(t, env).Warning, "allow_rollback was not used")
}
