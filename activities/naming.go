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
	"github.com/app-sre/git-partition-sync/internal/retries"
)

// maxErrorText is how many characters of an error Temporal gets. While it retries an activity, its server cuts errors
// after 4 KiB, and what to do is at the end.
const maxErrorText = 3000

// maxStack is how many characters of a panic's stack are logged.
const maxStack = 8 << 10

// ErrPanic says that an activity has panicked.
var ErrPanic = errors.New("the activity panicked")

// retryAfter is how long the server that failed wants not to be asked; 0 if it did not say.
func retryAfter(err error) time.Duration {
	var asked interface{ RetryAfter() time.Duration }
	if errors.As(err, &asked) {
		return asked.RetryAfter()
	}
	return 0
}

// ErrorNaming is the worker's interceptor that gives failures their kinds, and counts them. Errors are converted only
// here, because a converted error that is wrapped again would lose its kind. Every error passes it on the way to
// Temporal, so it also masks secrets, whoever's words the error has.
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
	if !activity.GetInfo(ctx).IsLocalActivity { // else it is tried as a task, and that counts
		countFailure(ctx, err)
	}
	return result, err
}

// execute turns a panic into an error. Temporal's SDK would put its message and stack into the history and the log as
// they are.
func (e *errorNaming) execute(ctx context.Context, in *interceptor.ExecuteActivityInput) (result any, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			result, err = nil, fmt.Errorf("%w: %v", ErrPanic, cause)
			activity.GetLogger(ctx).Error("The activity panicked", "error", e.mask.Text(err.Error(), maxErrorText), "stack", e.mask.Text(string(debug.Stack()), maxStack))
		}
	}()
	return e.Next.ExecuteActivity(ctx, in)
}

// nameFailure gives a failure of an activity its kind. If a failed heartbeat ended the activity's context ctx, that
// is the failure, and not the server that the activity was talking to.
func nameFailure(ctx context.Context, err error, mask *foreign.Mask) error {
	if cut := heartbeatFailure(ctx); err != nil && cut != nil {
		err = cut
	}
	attempt := 1
	if activity.IsActivity(ctx) {
		attempt = int(activity.GetInfo(ctx).Attempt)
	}
	return NamedAt(err, attempt, mask)
}

// Named is what Temporal keeps of a failure at the first attempt.
func Named(err error, mask *foreign.Mask) error { return NamedAt(err, 1, mask) }

// NamedAt turns a failure into what Temporal keeps of it: the kind, whether and when to try again, and a text whose first line
// says what happened and whose last line says what to do. The error itself is left out, because Temporal's SDK would
// put everything that it wraps into the history.
func NamedAt(err error, attempt int, mask *foreign.Mask) error {
	if err == nil {
		return nil
	}
	// The SDK cancels a context with an error of its own as the cause, and net/http returns that cause.
	if errors.Is(err, context.Canceled) || temporal.IsCanceledError(err) {
		return canceled(mask.Text(err.Error(), maxErrorText))
	}
	if failure, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return temporal.NewApplicationErrorWithOptions(mask.Text(failure.Message(), maxErrorText), failure.Type(),
			temporal.ApplicationErrorOptions{NonRetryable: failure.NonRetryable(), NextRetryDelay: failure.NextRetryDelay()})
	}
	for _, k := range kinds {
		if k.matches(err) {
			return temporal.NewApplicationErrorWithOptions(mask.Text(err.Error()+"\n"+k.remedy, maxErrorText), k.name, again(k.class, attempt, retryAfter(err)))
		}
	}
	return temporal.NewApplicationErrorWithOptions(mask.Text(err.Error(), maxErrorText), kindOther, again(retries.Passing, attempt, 0))
}

// again tells Temporal whether and when to begin another attempt: never before the server wants it.
func again(class retries.Class, attempt int, asked time.Duration) temporal.ApplicationErrorOptions {
	pause, more := class.Budget().Next(attempt)
	if !more {
		return temporal.ApplicationErrorOptions{NonRetryable: true}
	}
	return temporal.ApplicationErrorOptions{NextRetryDelay: max(retries.Spread(pause), min(asked, retries.LongestAsked))}
}

// canceled is the text of an error that wraps context.Canceled.
type canceled string

func (c canceled) Error() string { return string(c) }

func (c canceled) Unwrap() error { return context.Canceled }
