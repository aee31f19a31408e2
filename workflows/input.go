package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// Whoever may start workflows says with their inputs no more than the documents allow.

func invalidInput(format string, args ...any) error {
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf(format, args...), contract.KindInvalidInput, nil)
}

// continues tells whether a run goes on with what the run "from" has left. Only the server says which run
// that was. A cron's next run is given the same input, but has another one before it.
func continues(ctx workflow.Context, from string) (bool, error) {
	before := workflow.GetInfo(ctx).ContinuedExecutionRunID
	if before == "" {
		return false, invalidInput("this run continues none, but its input has \"rest\"\nStart it without: a cycle finds out itself what is to do.")
	}
	return from != "" && from == before, nil
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

// repeats tells what starts the workflow again and again with the same input.
func repeats(ctx workflow.Context) (by string, ok bool) {
	if cron := workflow.GetInfo(ctx).CronSchedule; cron != "" {
		return fmt.Sprintf("the cron schedule %q", cron), true
	}
	schedule, ok := workflow.GetTypedSearchAttributes(ctx).GetKeyword(scheduledBy)
	return fmt.Sprintf("the schedule %q", schedule), ok
}

// first tells whether a run is what its starter asked for, and not the server's or an operator's
// repetition of it: by a reset, a retry policy, or after an earlier run.
func first(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.Attempt <= 1 && info.ContinuedExecutionRunID == "" && info.OriginalRunID == info.WorkflowExecution.RunID
}

// rollbacks are the destinations for which the operator's word counts in this run.
func rollbacks(ctx workflow.Context, in contract.ConsumerSyncInput) (allowed []string, warning string, err error) {
	if len(in.AllowRollback) == 0 {
		return nil, "", nil
	}
	if by, ok := repeats(ctx); ok {
		return nil, "", invalidInput("allow_rollback holds for one run, but %s would repeat it\nTake it out of the input, and say it to a single run: starter run --allow-rollback.", by)
	}
	if !first(ctx) {
		return nil, "allow_rollback was not used: it holds for one run, and this one repeats it for " + strings.Join(in.AllowRollback, ", "), nil
	}
	return in.AllowRollback, "", nil
}

// mayRollBack tells whether a child's input may say so: its parent has, for this one run. A run by
// hand, or a reset, only repeats what was said once.
func mayRollBack(ctx workflow.Context) bool {
	return first(ctx) && workflow.GetInfo(ctx).ParentWorkflowExecution != nil
}

// firstPage is what this run works on, and what it leaves to the next one. A cron's run leaves nothing:
// the SDK continues as new without the cron schedule, which would end the cron for good. A plan is
// bounded, so that its history is, too.
func firstPage[T any](ctx workflow.Context, limits contract.Limits, all []T) (page, rest []T) {
	size := limits.PageSize
	if workflow.GetInfo(ctx).CronSchedule != "" {
		size = len(all)
	}
	size = min(size, len(all))
	return all[:size], all[size:]
}
