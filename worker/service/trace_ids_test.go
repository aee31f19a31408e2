package service

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A run that is taken over by another worker, or replayed to answer a query, goes on with its trace.
func TestTraceOfARunThatIsBegunAgain(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 27, 10, 0, 0, 123, time.UTC)
	begin := func(name string, at time.Time) trace.SpanContext { // each on a worker of its own
		tracer := sdktrace.NewTracerProvider(sdktrace.WithIDGenerator(traceIDs{})).Tracer("")
		return startSpan(context.Background(), tracer, "RunWorkflow:"+name, trace.WithTimestamp(at)).SpanContext()
	}
	first := begin(contract.Producer.Parent, start)
	require.True(t, first.IsValid())
	require.Equal(t, first, begin(contract.Producer.Parent, start))
	require.NotEqual(t, first.TraceID(), begin(contract.Producer.Parent, start.Add(1)).TraceID())
	require.NotEqual(t, first.TraceID(), begin(contract.Consumer.Parent, start).TraceID())
	require.False(t, begin("another", start).IsValid(), "only cycles and syncs begin traces")
}

func TestOtherTraceIDsDiffer(t *testing.T) {
	t.Parallel()
	id, span := traceIDs{}.NewIDs(t.Context())
	other, otherSpan := traceIDs{}.NewIDs(t.Context())
	require.True(t, id.IsValid() && span.IsValid())
	require.NotEqual(t, id, other)
	require.NotEqual(t, span, otherSpan)
	require.NotEqual(t, span, traceIDs{}.NewSpanID(t.Context(), id))
}
