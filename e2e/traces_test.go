package e2e_test

import (
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// traceReceiver takes traces by OTLP over HTTP.
type traceReceiver struct {
	url string

	mu       sync.Mutex
	spans    map[string]*tracepb.Span // by their IDs
	requests []string                 // as text
	headers  []http.Header
}

func receiveTraces(t testing.TB) *traceReceiver {
	t.Helper()
	r := &traceReceiver{spans: map[string]*tracepb.Span{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var request collector.ExportTraceServiceRequest
		if err != nil || req.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.headers, r.requests = append(r.headers, req.Header), append(r.requests, request.String())
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, span := range scope.Spans {
					r.spans[hex.EncodeToString(span.SpanId)] = span
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func attributesOf(span *tracepb.Span) map[string]string {
	all := map[string]string{}
	for _, a := range span.Attributes {
		all[a.Key] = a.Value.GetStringValue()
	}
	return all
}

// path names a span and those above it, from the root.
func (r *traceReceiver) path(span *tracepb.Span) string {
	if parent := r.spans[hex.EncodeToString(span.ParentSpanId)]; parent != nil {
		return r.path(parent) + " > " + span.Name
	}
	if len(span.ParentSpanId) > 0 {
		return "? > " + span.Name
	}
	return span.Name
}

// A cycle is one trace: its syncs, their steps, and what those ask of servers.
func TestTraceOfACycle(test *testing.T) {
	test.Parallel()
	t := begin(test)
	receiver := receiveTraces(t)
	const header = "otlp-canary-token"
	restarted(t, stack.Producer, "OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.url, "OTEL_EXPORTER_OTLP_HEADERS=x-token="+header)
	configure(t, [2]string{"traces/app@main", "mirror/traces/app@main"}, [2]string{"traces/app@gone", "mirror/traces/app@gone"})
	commit(t, "traces/app@main")
	failingCycle(t, stack.Producer)
	failingCycle(t, stack.Producer)
	require.NoError(t, t.Workers[stack.Producer].Stop()) // which sends what is left

	receiver.mu.Lock()
	defer receiver.mu.Unlock()
	const child = "RunWorkflow:ProducerSync > StartChildWorkflow:ProduceProject > RunWorkflow:ProduceProject"
	paths, traces := map[string]*tracepb.Span{}, map[string]bool{}
	for _, span := range receiver.spans {
		path := receiver.path(span)
		if attributes := attributesOf(span); span.Name == "GET" || span.Name == "POST" || span.Name == "PUT" {
			path += " " + attributes["url.path"]
		} else if strings.HasPrefix(span.Name, "RunWorkflow:ProduceProject") {
			path += " " + attributes["destination"] + " " + attributes["failure.kind"]
		}
		paths[path] = span
		require.True(t, strings.HasPrefix(path, "RunWorkflow:ProducerSync"), path)
		traces[hex.EncodeToString(span.TraceId)] = true
	}
	require.Len(t, traces, 2, "one for each cycle")
	for _, want := range []string{
		"RunWorkflow:ProducerSync > StartActivity:PlanUploads > RunActivity:PlanUploads > POST /graphql",
		"RunWorkflow:ProducerSync > StartActivity:PlanUploads > RunActivity:PlanUploads > GET /" + stack.BucketName,
		child + " mirror/traces/app@main ",
		child + " mirror/traces/app@gone BranchNotFound",
		child + " > StartActivity:Clone > RunActivity:Clone > POST /traces/app.git/git-upload-pack",
		child + " > StartActivity:Package > RunActivity:Package",
		child + " > StartActivity:Encrypt > RunActivity:Encrypt",
		child + " > StartActivity:Upload > RunActivity:Upload",
		child + " > StartActivity:Cleanup > RunActivity:Cleanup",
	} {
		require.Contains(t, paths, want)
	}
	all := strings.Join(receiver.requests, "\n")
	for _, secret := range append(config.Secrets(t.WorkerEnviron(stack.Producer)), header, "X-Amz-Signature", "service=git-upload-pack") {
		require.NotContains(t, all, secret)
	}
	require.Contains(t, all, "git-partition-sync-producer")
	for _, h := range receiver.headers {
		require.Equal(t, header, h.Get("X-Token"))
	}
	require.NoError(t, t.StartWorker(t.Context(), stack.Producer))
}

// A receiver that says nothing keeps no worker from its work, nor from ending.
func TestReceiverOfTracesIsSilent(test *testing.T) {
	test.Parallel()
	t := begin(test)
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	for _, role := range stack.Roles {
		restarted(t, role, "OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+silent.Addr().String())
	}
	upload(t, "silent")
	cycle(t, stack.Consumer)
	requireInSync(t, 1)
}
