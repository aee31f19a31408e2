package service

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// Without a word about traces there is nothing of them: no interceptor, and nothing that runs.
func TestNoTraces(t *testing.T) {
	before := runtime.NumGoroutine()
	traces, err := startTraces(t.Context(), role{}, nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Nil(t, traces)
	require.Empty(t, traces.interceptors())
	require.Equal(t, before, runtime.NumGoroutine())
	traces.stop()
}

// What traces do to workflows is seen by none: histories of workers without traces replay on workers with them, and nothing is
// traced again.
func TestReplayWithTraces(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	steps, err := traceInterceptor(provider)
	require.NoError(t, err)
	files, err := filepath.Glob("../../workflows/testdata/histories/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var log bytes.Buffer
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Interceptors: []interceptor.WorkerInterceptor{
		steps, &syncLog{role: contract.Producer, log: slog.New(slog.NewTextHandler(&log, nil)), known: newKnownFailures()}, &activities.ErrorNaming{},
	}})
	require.NoError(t, err)
	workflows.RegisterProducer(r)
	workflows.RegisterConsumer(r)
	for _, file := range files {
		text, err := os.Open(file)
		require.NoError(t, err)
		history, err := client.HistoryFromJSON(text, client.HistoryJSONOptions{})
		require.NoError(t, err)
		require.NoError(t, text.Close())
		started := history.Events[0].GetWorkflowExecutionStartedEventAttributes()
		require.NoError(t, r.ReplayWorkflowHistoryWithOptions(quiet, history, worker.ReplayWorkflowHistoryOptions{
			OriginalExecution: workflow.Execution{ID: started.GetWorkflowId(), RunID: started.GetOriginalExecutionRunId()},
		}), file)
	}
	require.Empty(t, log.String(), "what is replayed was logged before")
	for _, span := range spans.GetSpans() {
		require.True(t, strings.HasPrefix(span.Name, "RunWorkflow:"), span.Name)
	}
}

// Nothing in a span shows a secret, whoever has put it there.
func TestTracesTellNoSecrets(t *testing.T) {
	bodies := make(chan []byte, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- body
	}))
	t.Cleanup(receiver.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	traces, err := startTraces(t.Context(), role{Common: config.Common{Traces: config.TraceHTTP}, Role: contract.Producer}, foreign.NewMask(loggedSecret), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	_, span := traces.provider.Tracer("test").Start(t.Context(), "step")
	span.SetAttributes(attribute.String("said", "x "+loggedSecret), attribute.Int("bytes", 12))
	span.RecordError(errors.New("told " + loggedSecret))
	span.SetStatus(codes.Error, loggedSecret)
	span.End()
	traces.stop()
	var request collector.ExportTraceServiceRequest
	require.NoError(t, proto.Unmarshal(<-bodies, &request))
	require.NotContains(t, request.String(), "s3cret")
	require.Equal(t, 3, strings.Count(request.String(), "***"))
	require.Contains(t, request.String(), "git-partition-sync-producer")
}

// A receiver that takes connections and says nothing, or is not there, delays nothing, and the log says so once.
func TestReceiverThatIsSilent(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { silent.Close() })
	for protocol, endpoint := range map[config.TraceExporter]string{config.TraceHTTP: "http://" + silent.Addr().String(), config.TraceGRPC: "http://" + freeAddress(t)} {
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
		var log sharedBuffer
		traces, err := startTraces(t.Context(), role{Common: config.Common{Traces: protocol}, Role: contract.Producer}, nil, slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, err)
		for range 10_000 { // far more than wait for the receiver
			_, span := traces.provider.Tracer("test").Start(t.Context(), "step")
			span.End()
		}
		began := time.Now()
		traces.stop()
		require.Less(t, time.Since(began), 2*flushTimeout)
		require.Equal(t, 1, strings.Count(log.String(), "Traces do not arrive"), log.String())
	}
}

// A trace begins with a cycle or a sync, and not with what waits for the next one.
func TestWhereTracesBegin(t *testing.T) {
	tracer := sdktrace.NewTracerProvider().Tracer("test")
	for name, begins := range map[string]bool{
		"RunWorkflow:ProducerSync": true, "RunWorkflow:ConsumerSync": true, "RunWorkflow:ProduceProject": true, "RunWorkflow:ConsumeProject": true,
		"RunWorkflow:ConsumerPoll": false, "RunWorkflow:PushEvents": false, "RunWorkflow:PauseSync": false, "RunActivity:AwaitCatalog": false, "StartChildWorkflow:ConsumerSync": false,
	} {
		require.Equal(t, begins, startSpan(t.Context(), tracer, name).IsRecording(), name)
	}
	require.False(t, slices.Contains(traceRoots, "RunWorkflow:"))
}
