package workflows

import (
	"cmp"
	"errors"
	"fmt"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// ownFailure returns the failure that a workflow ends with, in place of that of one of its steps: what happened is its first
// line, and what to do its last, as it is the first that Temporal's UI shows. What Temporal wraps around a step's failure is in
// the history, and would come before that. The details are kept if there are none.
func ownFailure(err error, details ...any) error {
	if err == nil || temporal.IsCanceledError(err) || workflow.IsContinueAsNewError(err) {
		return err
	}
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		kind, reason := contract.FailureOf(err)
		if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok {
			reason = timeoutInWords(err, timeout)
		}
		return temporal.NewApplicationErrorWithOptions(activities.WithRemedy(kind, reason), kind, temporal.ApplicationErrorOptions{Details: details})
	}
	if failure.HasDetails() || len(details) == 0 && error(failure) == err {
		return failure
	}
	return temporal.NewApplicationErrorWithOptions(failure.Message(), cmp.Or(failure.Type(), plan.KindChildFailed), temporal.ApplicationErrorOptions{
		NonRetryable: failure.NonRetryable(), Cause: failure.Unwrap(), Details: details,
	})
}

// timeoutInWords says which of its times a step has exceeded.
func timeoutInWords(err error, timeout *temporal.TimeoutError) string {
	step := "the step"
	if activity, ok := errors.AsType[*temporal.ActivityError](err); ok {
		step = activity.ActivityType().GetName()
	}
	switch timeout.TimeoutType() {
	case enums.TIMEOUT_TYPE_SCHEDULE_TO_START:
		return step + " was not begun: the worker that has the run's files does not answer\nStart the worker, or look at its log; the next cycle begins anew."
	case enums.TIMEOUT_TYPE_HEARTBEAT:
		return step + " gave no sign of life: its worker was lost, or its connection to Temporal\nLook at the worker's log, and at its memory; the next cycle begins anew."
	default:
		return fmt.Sprintf("%s took longer than it may\nLook at the worker's log, and at the load of the servers that it talks to; the next cycle begins anew.", step)
	}
}
