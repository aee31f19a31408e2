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
// failed without a report, only the catalog is remembered that was known before: see withMemory. Nothing is remembered
// after one that was ended from outside, or in a cycle that is run by itself.
func remembered(ctx workflow.Context) contract.Report {
	var last contract.Report
	var unreadable error
	failure := workflow.GetLastError(ctx)
	failed, ok := errors.AsType[*temporal.ApplicationError](failure)
	switch {
	case ok && failed.HasDetails():
		unreadable = failed.Details(&last)
	case failure == nil && workflow.HasLastCompletionResult(ctx):
		unreadable = workflow.GetLastCompletionResult(ctx, &last)
	}
	if unreadable != nil {
		workflow.GetLogger(ctx).Warn("The last cycle's report cannot be read", "error", unreadable)
	}
	return contract.Report{Absence: last.Absence, Catalog: last.Catalog}
}

// withMemory lets a cycle that fails before it has a report hand on which catalog was seen last. Whoever controls the
// bucket can make a cycle fail, and must not have an old catalog accepted that way.
func withMemory(err error, memory plan.CatalogSeen) error {
	failed, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || failed.HasDetails() || memory == (plan.CatalogSeen{}) {
		return err
	}
	return temporal.NewApplicationErrorWithOptions(failed.Message(), failed.Type(), temporal.ApplicationErrorOptions{
		NonRetryable: failed.NonRetryable(), Cause: err, Details: []any{contract.Report{Catalog: memory}},
	})
}
