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
// failed without a report, only the catalog is remembered that was known before: see withMemory; of one that was ended from
// outside, the catalog that the last one knew that had succeeded. Nothing is remembered in a cycle that is run by itself.
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
	}
	if unreadable != nil {
		workflow.GetLogger(ctx).Warn("The last cycle's report cannot be read", "error", unreadable)
	}
	if succeeded.Catalog.Sequence > last.Catalog.Sequence {
		last.Catalog = succeeded.Catalog
	}
	return contract.Report{Absence: last.Absence, Catalog: last.Catalog}
}

// withMemory lets a cycle that fails before it has a report hand on which catalog was seen last. Whoever controls the
// bucket can make a cycle fail, also by answers that never end, and must not have an old catalog accepted that way.
func withMemory(err error, memory plan.CatalogSeen) error {
	failed, ok := errors.AsType[*temporal.ApplicationError](err)
	if memory == (plan.CatalogSeen{}) || ok && failed.HasDetails() {
		return err
	}
	kind, reason := contract.FailureOf(err)
	return temporal.NewApplicationErrorWithOptions(reason, kind, temporal.ApplicationErrorOptions{
		NonRetryable: ok && failed.NonRetryable(), Cause: err, Details: []any{contract.Report{Catalog: memory}},
	})
}
