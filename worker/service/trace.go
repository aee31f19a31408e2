package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/version"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const (
	// flushTimeout is how long a worker that ends waits for the receiver of traces.
	flushTimeout = 3 * time.Second
	// sayTracesEvery is how often it is logged at most that traces do not arrive.
	sayTracesEvery = 10 * time.Minute
)

// traces are the worker's spans on their way to a receiver; nil if there are none.
type traces struct {
	provider *sdktrace.TracerProvider
	steps    interceptor.WorkerInterceptor
}

// startTraces starts to send traces if the environment asks for it. Where they go, and what else there is to say of them, OpenTelemetry's
// libraries read from the variables that they define. A receiver that is silent or away delays nothing: what it does not take in time is
// dropped.
func startTraces(ctx context.Context, r role, mask *foreign.Mask, logger *slog.Logger) (*traces, error) {
	var exporter sdktrace.SpanExporter
	var err error
	switch r.Traces {
	case config.NoTraces:
		return nil, nil
	case config.TraceGRPC:
		exporter, err = otlptracegrpc.New(ctx)
	default:
		exporter, err = otlptracehttp.New(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetLogger(logr.FromSlogHandler(logger.Handler()))
	otel.SetErrorHandler(&traceErrors{log: logger})
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithAttributes(
		attribute.String("service.name", "git-partition-sync-"+r.Name), attribute.String("service.version", version.Version())), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(maskedExporter{exporter, mask}), sdktrace.WithResource(about), sdktrace.WithIDGenerator(traceIDs{}))
	steps, err := traceInterceptor(provider)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("traces: %w", err), provider.Shutdown(ctx))
	}
	return &traces{provider, steps}, nil
}

// traceInterceptor makes a span of each workflow and step. That a trace belongs to a cycle is in the headers of what it starts, which
// workflows do not see.
func traceInterceptor(provider trace.TracerProvider) (interceptor.WorkerInterceptor, error) {
	return opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
		Tracer:               provider.Tracer("github.com/app-sre/git-partition-sync"),
		TextMapPropagator:    propagation.TraceContext{},
		SpanStarter:          startSpan,
		DisableSignalTracing: true, DisableQueryTracing: true, DisableUpdateTracing: true, DisableBaggage: true,
		AllowInvalidParentSpans: true, // whoever may start workflows may give them any header
	})
}

// traceRoots are the names of spans with which a trace may begin: a cycle, or a sync that was started by hand. What only waits for the
// next cycle would be a trace without end.
var traceRoots = []string{
	"RunWorkflow:" + contract.Producer.Parent, "RunWorkflow:" + contract.Consumer.Parent,
	"RunWorkflow:" + contract.Producer.Child, "RunWorkflow:" + contract.Consumer.Child,
}

func startSpan(ctx context.Context, t trace.Tracer, name string, options ...trace.SpanStartOption) trace.Span {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		if !slices.Contains(traceRoots, name) {
			return noop.Span{}
		}
		span := trace.NewSpanStartConfig(options...)
		ctx = withRoot(ctx, name, span.Timestamp()) // when the run began, as its history has it
	}
	_, span := t.Start(ctx, name, options...)
	return span
}

func (t *traces) interceptors() []interceptor.WorkerInterceptor {
	if t == nil {
		return nil
	}
	return []interceptor.WorkerInterceptor{t.steps}
}

// stop sends what has not been sent, and waits for that for a bounded time.
func (t *traces) stop() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
}

// traceErrors logs that traces do not arrive, now and then.
type traceErrors struct {
	log *slog.Logger

	mu   sync.Mutex
	said time.Time
}

// Handle implements [otel.ErrorHandler].
func (e *traceErrors) Handle(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	level := slog.LevelDebug
	if time.Since(e.said) >= sayTracesEvery {
		level, e.said = slog.LevelWarn, time.Now()
	}
	e.log.Log(context.Background(), level, "Traces do not arrive; syncs go on without", "error", err)
}
