package service

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// syncLog is the worker's interceptor that logs how steps, syncs and cycles end, and that has all lines about a sync say its
// destination. It comes behind the one that gives failures their kinds.
//
// Each failure has one place where it is an error: that of a sync where the sync's workflow ends, whatever became of its steps; what a
// plan finds, and what has happened to workflows that could not speak for themselves, where the cycle ends.
type syncLog struct {
	interceptor.WorkerInterceptorBase
	role  contract.Role
	log   *slog.Logger
	known *knownFailures
}

// InterceptActivity implements [interceptor.WorkerInterceptor].
func (l *syncLog) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &loggedActivity{interceptor.ActivityInboundInterceptorBase{Next: next}, l}
}

// InterceptWorkflow implements [interceptor.WorkerInterceptor].
func (l *syncLog) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &loggedWorkflow{interceptor.WorkflowInboundInterceptorBase{Next: next}, l}
}

const (
	keyDestination = "destination"
	keyKind        = "kind"
)

// destinationKey is where the contexts of a sync's workflow and steps have its destination.
type destinationKey struct{}

// destinationOf is the destination of the sync that a workflow or a step works on; empty if it is no sync's.
func destinationOf(args []any) string {
	if len(args) == 0 {
		return ""
	}
	switch in := args[0].(type) {
	case plan.Upload:
		return in.Sync.Destination.String()
	case plan.Push:
		return in.Destination.String()
	case activities.UploadWork:
		return in.Plan.Sync.Destination.String()
	case activities.PushWork:
		return in.Plan.Destination.String()
	}
	return ""
}

type loggedActivity struct {
	interceptor.ActivityInboundInterceptorBase
	*syncLog
}

// Init implements [interceptor.ActivityInboundInterceptor].
func (a *loggedActivity) Init(out interceptor.ActivityOutboundInterceptor) error {
	return a.Next.Init(&destinationOfSteps{interceptor.ActivityOutboundInterceptorBase{Next: out}})
}

type destinationOfSteps struct {
	interceptor.ActivityOutboundInterceptorBase
}

// GetLogger implements [interceptor.ActivityOutboundInterceptor].
func (d *destinationOfSteps) GetLogger(ctx context.Context) log.Logger {
	return withDestination(d.Next.GetLogger(ctx), ctx.Value(destinationKey{}))
}

func withDestination(logger log.Logger, destination any) log.Logger {
	if destination == nil || destination == "" {
		return logger
	}
	return log.With(logger, keyDestination, destination)
}

// ExecuteActivity implements [interceptor.ActivityInboundInterceptor].
func (a *loggedActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	destination := destinationOf(in.Args)
	ctx = context.WithValue(ctx, destinationKey{}, destination)
	span := trace.SpanFromContext(ctx)
	describeSpan(span, destination, nil)
	result, err := a.Next.ExecuteActivity(ctx, in)
	info := activity.GetInfo(ctx)
	if !info.IsLocalActivity { // what fails as one is tried as a task, and the span of that says so
		describeSpan(span, destination, err)
	}
	logger := a.log.With(attributes(destination, info.WorkflowExecution, span)...).With("step", info.ActivityType.Name, "attempt", info.Attempt, seconds(time.Since(info.StartedTime)))
	kind, reason := contract.FailureOf(orNone(err))
	switch {
	case err == nil:
		logger.Debug("The step is done")
	case isCancelled(err):
		logger.Debug("The step was cancelled")
	case isRetried(info, err):
		logger.Warn("The step has failed, and is tried again", keyKind, kind, "error", reason)
	default: // its workflow says what became of it
		logger.Debug("The step has failed", keyKind, kind, "error", reason)
	}
	return result, err
}

// isRetried tells whether Temporal starts another attempt, as far as a worker knows.
func isRetried(info activity.Info, err error) bool {
	if failure, ok := errors.AsType[*temporal.ApplicationError](err); ok && failure.NonRetryable() {
		return false
	}
	return info.RetryPolicy == nil || info.RetryPolicy.MaximumAttempts == 0 || info.Attempt < info.RetryPolicy.MaximumAttempts
}

func isCancelled(err error) bool {
	return errors.Is(err, context.Canceled) || temporal.IsCanceledError(err)
}

var errNone = errors.New("")

// orNone is for functions that want an error.
func orNone(err error) error {
	if err == nil {
		return errNone
	}
	return err
}

// attributes are those of all lines about a workflow.
func attributes(destination string, run workflow.Execution, span trace.Span) (attrs []any) {
	if destination != "" {
		attrs = append(attrs, slog.String(keyDestination, destination))
	}
	attrs = append(attrs, slog.String("workflow_id", run.ID), slog.String("run_id", run.RunID))
	if c := span.SpanContext(); c.HasTraceID() {
		attrs = append(attrs, slog.String("trace_id", c.TraceID().String()))
	}
	return attrs
}

// seconds is how long something took.
func seconds(took time.Duration) slog.Attr {
	return slog.Float64("took_seconds", took.Round(time.Millisecond).Seconds())
}

// describeSpan adds to a span what traces are searched for.
func describeSpan(span trace.Span, destination string, err error) {
	if destination != "" {
		span.SetAttributes(attribute.String(keyDestination, destination))
	}
	if err != nil && !isCancelled(err) {
		kind, _ := contract.FailureOf(err)
		span.SetAttributes(attribute.String("failure.kind", kind))
	}
}
