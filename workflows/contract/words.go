package contract

import (
	"errors"
	"fmt"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
)

// FailureWords says how a workflow or activity ended, as people do: what happened, without the chain of types and event numbers that
// Temporal puts around it. It returns "" for an error that is not of that kind, but may wrap one.
func FailureWords(err error) string {
	switch e := err.(type) { //nolint:errorlint // one link of the chain at a time
	case *temporal.WorkflowExecutionError, *temporal.ChildWorkflowExecutionError:
		return FailureWords(errors.Unwrap(err))
	case *temporal.ActivityError:
		if _, timedOut := errors.AsType[*temporal.TimeoutError](err); timedOut {
			return fmt.Sprintf("step %s: %s", e.ActivityType().GetName(), FailureWords(errors.Unwrap(err)))
		}
		return FailureWords(errors.Unwrap(err))
	case *temporal.ApplicationError:
		if e.Type() == "" {
			return e.Message()
		}
		return fmt.Sprintf("%s (%s)", e.Message(), e.Type())
	case *temporal.TimeoutError:
		return timeoutWords(e)
	case *temporal.CanceledError:
		return "it was cancelled"
	case *temporal.TerminatedError:
		return "it was terminated"
	case *temporal.PanicError:
		return "the worker's code panicked: " + e.Error()
	case *temporal.ServerError:
		return "Temporal ended it: " + e.Message()
	}
	return ""
}

func timeoutWords(err *temporal.TimeoutError) string {
	switch err.TimeoutType() {
	case enums.TIMEOUT_TYPE_SCHEDULE_TO_START:
		return "no worker took it up in time"
	case enums.TIMEOUT_TYPE_HEARTBEAT:
		return "its worker gave no sign of life any more"
	default:
		return "it took longer than it may"
	}
}
