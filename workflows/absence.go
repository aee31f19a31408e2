package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// remembered returns a report with what is to be remembered of the previous cycle. Temporal gives the next run of a
// schedule or cron the result of the last run that completed, and the failure of the last run if it failed. Of a cycle that
// failed without a report, only the catalog and the lags are remembered that were known before: see withMemory; of one that was
// ended from outside, those of the last one that had succeeded. Nothing is remembered in a cycle that is run by itself.
func remembered(ctx workflow.Context) contract.Report {
	var succeeded, last contract.Report
	var unreadable error
	if workflow.HasLastCompletionResult(ctx) {
		unreadable = workflow.GetLastCompletionResult(ctx, &succeeded)
	}
	failure := workflow.GetLastError(ctx)
	failed, ok := errors.AsType[*temporal.ApplicationError](failure)
	switch {
	case ok && failed.HasDetails():
		unreadable = failed.Details(&last)
	case failure == nil:
		last = succeeded
	default:
		last.Lags = succeeded.Lags
	}
	if unreadable != nil {
		workflow.GetLogger(ctx).Warn("The last cycle's report cannot be read", "error", unreadable)
	}
	if succeeded.Catalog.Sequence > last.Catalog.Sequence {
		last.Catalog = succeeded.Catalog
	}
	if succeeded.Recovered.After(last.Recovered) {
		last.Recovered = succeeded.Recovered
	}
	return contract.Report{Absence: last.Absence, Catalog: last.Catalog, Lags: last.Lags, Recovered: last.Recovered, Halted: last.Halted}
}

// withMemory lets a cycle that fails before it has a report hand on which catalog was seen last, and what lags. Whoever controls
// the bucket can make a cycle fail, also by answers that never end, and must not have an old catalog accepted that way.
func withMemory(err error, memory contract.Report) error {
	if memory.Catalog == (plan.CatalogSeen{}) && len(memory.Lags.List) == 0 && memory.Recovered.IsZero() && !memory.Halted {
		return ownFailure(err)
	}
	return ownFailure(err, memory)
}
