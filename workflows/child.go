package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// childRun is one run of a child, on either side.
type childRun struct {
	*progress
	transferred bool // the run has transferred something
}

// runChild does what both children do before and after their steps. The child must have the given workflow ID.
func runChild[R any](ctx workflow.Context, id string, attempt plan.Attempt, move func(*childRun) (R, error)) (result R, err error) {
	progress, err := showProgress(ctx)
	if err != nil {
		return result, err
	}
	if err := requireLock(ctx, id); err != nil {
		return result, err
	}
	run := &childRun{progress: progress}
	result, err = move(run)
	err = withAttempt(ctx, attempt, run.transferred, err)
	recordOutcome(ctx, err)
	return result, err
}

// withAttempt adds the attempt to a failure that only a person can resolve, if the run transferred something before
// it failed. The next plan reads it from the failed execution, and leaves the branch alone. An object in the place of a
// newer one costs its first bytes, and the producer's next catalog may say that all is well.
func withAttempt(ctx workflow.Context, try plan.Attempt, transferred bool, err error) error {
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || !transferred || !failure.NonRetryable() || failure.Type() == activities.KindStagedFileMissing || failure.Type() == plan.KindObjectWithheld {
		return err
	}
	return temporal.NewApplicationErrorWithOptions(failure.Message(), failure.Type(), temporal.ApplicationErrorOptions{
		NonRetryable: true,
		Details:      []any{try.RefusedAt(workflow.Now(ctx))},
	})
}
