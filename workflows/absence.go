package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// lastAbsence returns which destinations the previous cycle found absent. Temporal gives the next run of a schedule
// or cron the result of the last run that completed, and the failure of the last run if it failed. Nothing is
// remembered after a cycle that failed without a report, or in a cycle that is run by itself.
func lastAbsence(ctx workflow.Context) plan.Absence {
	var last contract.Report
	var unreadable error
	failure := workflow.GetLastError(ctx)
	failed, ok := errors.AsType[*temporal.ApplicationError](failure)
	switch {
	case ok && failed.Type() == plan.KindSyncsFailed:
		unreadable = failed.Details(&last)
	case failure == nil && workflow.HasLastCompletionResult(ctx):
		unreadable = workflow.GetLastCompletionResult(ctx, &last)
	}
	if unreadable != nil {
		workflow.GetLogger(ctx).Warn("The last cycle's report cannot be read", "error", unreadable)
	}
	return last.Absence
}
