package workflows_test

import (
	"cmp"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// reset runs an execution again after the n-th of its workflow tasks.
func reset(t *testing.T, c client.Client, id, run string, n int) client.WorkflowRun {
	t.Helper()
	var tasks []int64
	for _, event := range fetch(t, c, id, run).Events {
		if event.EventType == enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			tasks = append(tasks, event.EventId)
		}
	}
	answer, err := c.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:                 client.DefaultNamespace,
		WorkflowExecution:         &common.WorkflowExecution{WorkflowId: id, RunId: run},
		WorkflowTaskFinishEventId: tasks[n],
		Reason:                    t.Name(),
		RequestId:                 uuid.NewString(),
	})
	require.NoError(t, err)
	return c.GetWorkflow(t.Context(), id, answer.RunId)
}

// A run that was reset starts over when a step fails, but not when that is because somebody has cancelled it.
func TestCancelledAfterResetIsNotStartedOver(t *testing.T) {
	t.Parallel()
	c := scripted(t, newScript())
	id := contract.Consumer.ChildID(branch("down"))
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: scriptQueue}, workflows.ConsumeProject, pushOf("down"))
	require.NoError(t, err)
	begun := func(run string) (n int) { // how often its steps have begun, in whichever run
		for _, event := range fetch(t, c, id, run).Events {
			if event.EventType == enums.EVENT_TYPE_MARKER_RECORDED {
				n++
			}
		}
		return n
	}
	failsStep := func(run string) func() bool {
		return func() bool {
			d, err := c.DescribeWorkflowExecution(t.Context(), id, run)
			return err == nil && len(d.PendingActivities) == 1 && d.PendingActivities[0].LastFailure != nil
		}
	}
	require.Eventually(t, failsStep(run.GetRunID()), 20*time.Second, 10*time.Millisecond)
	before := begun(run.GetRunID())

	again := reset(t, c, id, run.GetRunID(), 1) // to where it has downloaded
	require.Eventually(t, failsStep(again.GetRunID()), 20*time.Second, 10*time.Millisecond)
	require.NoError(t, c.CancelWorkflow(t.Context(), id, again.GetRunID()))
	var canceled *temporal.CanceledError
	require.ErrorAs(t, again.Get(t.Context(), nil), &canceled)
	require.Equal(t, before, begun(again.GetRunID()))
}

// What an operator says of one run and one destination holds for them alone, whatever repeats the run.
func TestRollbackHoldsForOneRun(t *testing.T) {
	t.Parallel()
	s := newScript()
	c := scripted(t, s)
	in := contract.CycleInput{AllowRollback: []string{"group/ok@main", "group/elsewhere@main"}}
	options := client.StartWorkflowOptions{ID: "consumer-sync-once", TaskQueue: scriptQueue}
	run, err := c.ExecuteWorkflow(t.Context(), options, workflows.ConsumerSync, in)
	require.NoError(t, err)
	failure := failureOf(t, run.Get(t.Context(), nil))
	require.Contains(t, failure.Message(), "group/elsewhere@main: allow_rollback names a destination that is not behind")
	require.Equal(t, []bool{true}, s.rollbacks["ok"])

	id := contract.Consumer.ChildID(branch("ok"))
	child := c.GetWorkflow(t.Context(), id, "").GetRunID()
	for _, task := range []int{0, 2} { // to its beginning, and to where it has decrypted
		require.NoError(t, reset(t, c, id, child, task).Get(t.Context(), nil))
	}
	require.Equal(t, []bool{true, false, false}, s.rollbacks["ok"], "a reset repeats what was said once")

	byHand := pushOf("ok")
	byHand.AllowRollback = true
	again, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: scriptQueue}, workflows.ConsumeProject, byHand)
	require.NoError(t, err)
	require.NoError(t, again.Get(t.Context(), nil))
	require.Equal(t, []bool{true, false, false, false}, s.rollbacks["ok"], "so does a run that is started like it")

	failure = failureOf(t, reset(t, c, run.GetID(), run.GetRunID(), 0).Get(t.Context(), nil))
	var r contract.Report
	require.NoError(t, failure.Details(&r))
	require.Contains(t, r.Warning, "allow_rollback was not used")
	require.Equal(t, []bool{true, false, false, false, false}, s.rollbacks["ok"])
}

func failureOf(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	return failure
}

// Nobody lets a branch go back again and again.
func TestSchedulesDoNotAllowRollbacks(t *testing.T) {
	t.Parallel()
	s := newScript()
	c := scripted(t, s)
	refused := func(id, run, by string) {
		t.Helper()
		var end *historypb.HistoryEvent
		for events := c.GetWorkflowHistory(t.Context(), id, run, true, enums.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT); events.HasNext(); {
			var err error
			end, err = events.Next()
			require.NoError(t, err)
		}
		//nolint:staticcheck // a cron's run that fails ends with a deprecated attribute
		failure := cmp.Or(end.GetWorkflowExecutionFailedEventAttributes().GetFailure(), end.GetWorkflowExecutionContinuedAsNewEventAttributes().GetFailure())
		require.Equal(t, plan.KindInvalidInput, failure.GetApplicationFailureInfo().GetType(), "%s", end)
		require.Contains(t, failure.GetMessage(), by+" would repeat it")
	}
	in := contract.CycleInput{AllowRollback: []string{"group/ok@main"}}
	cron, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "cron", TaskQueue: scriptQueue, CronSchedule: "@every 1s"}, workflows.ConsumerSync, in)
	require.NoError(t, err)
	refused("cron", cron.GetRunID(), `the cron schedule "@every 1s"`)
	require.NoError(t, c.TerminateWorkflow(t.Context(), "cron", "", "refused"))

	h, err := c.ScheduleClient().Create(t.Context(), client.ScheduleOptions{
		ID:                 "nightly",
		Spec:               client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: 24 * time.Hour}}},
		Action:             &client.ScheduleWorkflowAction{ID: "scheduled", TaskQueue: scriptQueue, Workflow: workflows.ConsumerSync, Args: []any{in}},
		TriggerImmediately: true,
	})
	require.NoError(t, err)
	var started []client.ScheduleActionResult
	require.Eventually(t, func() bool {
		d, err := h.Describe(t.Context())
		if err == nil {
			started = d.Info.RecentActions
		}
		return len(started) > 0
	}, 10*time.Second, 10*time.Millisecond)
	refused(started[0].StartWorkflowResult.WorkflowID, started[0].StartWorkflowResult.FirstExecutionRunID, `the schedule "nightly"`)
	require.Empty(t, s.rollbacks)
}
