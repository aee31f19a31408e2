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
	if err := workflow.GetLastError(ctx); err != nil {
		failed, ok := errors.AsType[*temporal.ApplicationError](err)
		if !ok || failed.Type() != plan.KindSyncsFailed {
			return plan.Absence{}
		}
		if err := failed.Details(&last); err != nil {
			workflow.GetLogger(ctx).Warn("The last cycle's report cannot be read", "error", err)
		}
		return last.Absence
	}
	if workflow.HasLastCompletionResult(ctx) {
		if err := workflow.GetLastCompletionResult(ctx, &last); err != nil {
			workflow.GetLogger(ctx).Warn("The last cycle's report cannot be read", "error", err)
		}
	}
	return last.Absence
}
