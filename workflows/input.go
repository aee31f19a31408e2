package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// The inputs of workflows are checked here, because people who may start workflows must not be able to do more with them than
// the documentation says.

func invalidInput(format string, args ...any) error {
	message := activities.WithRemedy(plan.KindInvalidInput, fmt.Sprintf(format, args...))
	return temporal.NewNonRetryableApplicationError(message, plan.KindInvalidInput, nil)
}

// requireLock refuses a child whose workflow ID is not its branch's. The ID keeps two children from working on one
// branch.
func requireLock(ctx workflow.Context, id string) error {
	if actual := workflow.GetInfo(ctx).WorkflowExecution.ID; actual != id {
		return invalidInput("the workflow's ID is %q instead of %q\nStart it with the ID of its destination, which keeps two runs from working on one branch.", actual, id)
	}
	return nil
}

// scheduledBy is a search attribute that the server sets on the workflows of a schedule.
var scheduledBy = temporal.NewSearchAttributeKeyKeyword("TemporalScheduledById")

// repeatedBy returns the cron or schedule that starts the workflow repeatedly with the same input.
func repeatedBy(ctx workflow.Context) (by string, ok bool) {
	if cron := workflow.GetInfo(ctx).CronSchedule; cron != "" {
		return fmt.Sprintf("the cron schedule %q", cron), true
	}
	schedule, ok := workflow.GetTypedSearchAttributes(ctx).GetKeyword(scheduledBy)
	return fmt.Sprintf("the schedule %q", schedule), ok
}

// isByPerson tells whether a person has started the workflow: no other workflow has, such as one that waits for push events, and
// nothing starts it repeatedly.
func isByPerson(ctx workflow.Context) bool {
	_, repeated := repeatedBy(ctx)
	return !repeated && workflow.GetInfo(ctx).ParentWorkflowExecution == nil
}

// isRepetition tells whether a run repeats another one, because of a retry policy or a reset.
func isRepetition(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.Attempt > 1 || info.OriginalRunID != info.WorkflowExecution.RunID
}

// mayUseRollback tells whether a child may use its input's AllowRollback: only if its parent has just said so. A run
// that was started by hand, or a reset, would repeat what was allowed once.
func mayUseRollback(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return !isRepetition(ctx) && info.ContinuedExecutionRunID == "" && info.ParentWorkflowExecution != nil
}
