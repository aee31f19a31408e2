package activities

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// maxErrorText is how much of an error Temporal is told, in characters. Its server cuts off what is
// longer than 4 KiB while an activity is retried, and what to do stands at the end.
const maxErrorText = 3000

// maxStack is how much of a panic's stack is logged, in characters.
const maxStack = 8 << 10

// ErrPanic says that an activity has panicked.
var ErrPanic = errors.New("the activity panicked")

// maxRetryDelay is the longest pause before the next attempt that a server can ask for. After a longer one, the
// next cycle has come.
const maxRetryDelay = 10 * time.Minute

// retryAfter is how long the server that failed wants to be left alone; 0 if it did not say.
func retryAfter(err error) time.Duration {
	var asked interface{ RetryAfter() time.Duration }
	if errors.As(err, &asked) {
		return asked.RetryAfter()
	}
	return 0
}

// ErrorNaming is the worker's interceptor that names failures, and counts them. It is the one place where
// they are converted: a named error that is wrapped again would lose its name. It is also the last
// net that every error passes on its way to Temporal, whoever's words are in it.
type ErrorNaming struct {
	interceptor.WorkerInterceptorBase

	// Mask knows all secrets of the worker.
	Mask *foreign.Mask
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (n *ErrorNaming) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &errorNaming{interceptor.ActivityInboundInterceptorBase{Next: next}, n.Mask}
}

type errorNaming struct {
	interceptor.ActivityInboundInterceptorBase
	mask *foreign.Mask
}

func (e *errorNaming) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	result, err := e.execute(ctx, in)
	err = nameFailure(ctx, err, e.mask)
	countFailure(ctx, err)
	return result, err
}

// execute makes an error of a panic. Temporal's SDK would put what it says, and the stack, into history and log as they are.
func (e *errorNaming) execute(ctx context.Context, in *interceptor.ExecuteActivityInput) (result any, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			result, err = nil, fmt.Errorf("%w: %v", ErrPanic, cause)
			activity.GetLogger(ctx).Error("The activity panicked", "error", e.mask.Text(err.Error(), maxErrorText), "stack", e.mask.Text(string(debug.Stack()), maxStack))
		}
	}()
	return e.Next.ExecuteActivity(ctx, in)
}

// nameFailure names the failure of an activity whose context is ctx: when that was cut off, it is not the fault of
// whom the activity was talking to.
func nameFailure(ctx context.Context, err error, mask *foreign.Mask) error {
	if cut := heartbeatFailure(ctx); err != nil && cut != nil {
		return withKind(cut, mask)
	}
	return withKind(err, mask)
}

// Named is the failure of something that is no activity, as that of an activity is told: see contract.FailureOf.
func Named(err error, mask *foreign.Mask) error { return withKind(err, mask) }

// withKind turns a failure into what Temporal keeps of it: the kind, whether it is retried, and a
// text whose first line says what happened and whose last says what to do. Nothing of the error itself
// is left in it: Temporal's SDK would put all that it wraps into history, word by word.
func withKind(err error, mask *foreign.Mask) error {
	if err == nil {
		return nil
	}
	// The SDK cancels a context with an error of its own for a cause, which is what net/http then returns.
	if errors.Is(err, context.Canceled) || temporal.IsCanceledError(err) {
		return canceled(mask.Text(err.Error(), maxErrorText))
	}
	if failure, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return temporal.NewApplicationErrorWithOptions(mask.Text(failure.Message(), maxErrorText), failure.Type(),
			temporal.ApplicationErrorOptions{NonRetryable: failure.NonRetryable(), NextRetryDelay: failure.NextRetryDelay()})
	}
	for _, k := range kinds {
		if k.matches(err) {
			return temporal.NewApplicationErrorWithOptions(mask.Text(err.Error()+"\n"+k.remedy, maxErrorText), k.name,
				temporal.ApplicationErrorOptions{NonRetryable: !k.retry, NextRetryDelay: min(retryAfter(err), maxRetryDelay)})
		}
	}
	return temporal.NewApplicationError(mask.Text(err.Error(), maxErrorText), kindOther)
}

// canceled is the text of an error that is context.Canceled.
type canceled string

func (c canceled) Error() string { return string(c) }

func (c canceled) Unwrap() error { return context.Canceled }
