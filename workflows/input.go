package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// Whoever may start workflows says with their inputs no more than the documents allow.

func invalidInput(format string, args ...any) error {
	message := activities.WithRemedy(plan.KindInvalidInput, fmt.Sprintf(format, args...))
	return temporal.NewNonRetryableApplicationError(message, plan.KindInvalidInput, nil)
}

// requireLock refuses a child that was started under another ID than its branch's. That ID is what
// keeps two of them from working on the same branch.
func requireLock(ctx workflow.Context, id string) error {
	if actual := workflow.GetInfo(ctx).WorkflowExecution.ID; actual != id {
		return invalidInput("the workflow's ID is %q instead of %q\nStart it with the ID of its destination, which keeps two runs from working on one branch.", actual, id)
	}
	return nil
}

// scheduledBy is set by the server on what a schedule starts.
var scheduledBy = temporal.NewSearchAttributeKeyKeyword("TemporalScheduledById")

// repeatedBy tells what starts the workflow again and again with the same input.
func repeatedBy(ctx workflow.Context) (by string, ok bool) {
	if cron := workflow.GetInfo(ctx).CronSchedule; cron != "" {
		return fmt.Sprintf("the cron schedule %q", cron), true
	}
	schedule, ok := workflow.GetTypedSearchAttributes(ctx).GetKeyword(scheduledBy)
	return fmt.Sprintf("the schedule %q", schedule), ok
}

// isRepetition tells whether a run is the server's or an operator's repetition of another one, by a retry policy or a reset.
func isRepetition(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.Attempt > 1 || info.OriginalRunID != info.WorkflowExecution.RunID
}

// mayUseRollback tells whether a child's input may say so: its parent has, for this one run. A run by
// hand, or a reset, only repeats what was said once.
func mayUseRollback(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return !isRepetition(ctx) && info.ContinuedExecutionRunID == "" && info.ParentWorkflowExecution != nil
}
