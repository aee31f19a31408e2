package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// lastAbsence is what the cycle before has found absent. Temporal hands the next run of a schedule or cron
// the result of the last one that completed, and the failure of the last one if it failed. A cycle that failed
// without a report has seen nothing, nor has one that is run by itself: then the memory begins anew.
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
