package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// withAttempt adds the attempt to a failure that only a person can resolve, if the run transferred something before
// it failed. The next plan reads it from the failed execution, and leaves the branch alone.
func withAttempt(ctx workflow.Context, try plan.Attempt, transferred bool, err error) error {
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || !transferred || !failure.NonRetryable() || failure.Type() == activities.KindStagedFileMissing {
		return err
	}
	return temporal.NewApplicationErrorWithOptions(failure.Message(), failure.Type(), temporal.ApplicationErrorOptions{
		NonRetryable: true,
		Details:      []any{try.RefusedAt(workflow.Now(ctx))},
	})
}
