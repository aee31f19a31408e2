package httpclient_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// A request is a span of its own, from its beginning to the end of the answer. It has nothing of the URL's credentials and query,
// and the server learns nothing of it.
func TestRequestsAreTraced(t *testing.T) {
	otel.SetTextMapPropagator(propagation.TraceContext{}) // as a program may that has this in it
	headers := make(chan http.Header, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		if strings.HasSuffix(r.URL.Path, "/gone") {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	client := httpclient.New(nil)
	do := func(ctx context.Context, url string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer hunter2")
		resp, err := httpclient.Do(client, req, httpclient.Limits{Idle: time.Minute})
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		return resp.Body.Close()
	}
	host, _ := strings.CutPrefix(server.URL, "http://")
	ctx, step := provider.Tracer("test").Start(t.Context(), "step")
	require.NoError(t, do(t.Context(), server.URL+"/untraced"))
	require.Empty(t, spans.GetSpans())
	require.NoError(t, do(ctx, "http://bot:hunter2@"+host+"/app.git/info/refs?service=git-upload-pack&X-Amz-Signature=hunter2"))
	require.NoError(t, do(ctx, server.URL+"/gone"))
	server.Close()
	require.Error(t, do(ctx, server.URL+"/refused"))
	step.End()
	for range 3 {
		h := <-headers
		require.Empty(t, h.Get("Traceparent"))
		require.Empty(t, h.Get("Tracestate"))
	}

	said := map[string]string{}
	for _, span := range spans.GetSpans() {
		if span.Name == "step" {
			continue
		}
		require.Equal(t, step.SpanContext().SpanID(), span.Parent.SpanID())
		attributes := map[string]string{}
		for _, a := range span.Attributes {
			attributes[string(a.Key)] = a.Value.String()
			require.NotContains(t, a.Value.String(), "hunter2")
			require.NotContains(t, a.Value.String(), "service=")
		}
		require.Equal(t, "GET", span.Name)
		require.Equal(t, "127.0.0.1", attributes["server.address"])
		said[attributes["url.path"]] = attributes["http.response.status_code"] + attributes["error.type"] + " " + span.Status.Code.String() + " " + span.Status.Description
	}
	require.Equal(t, map[string]string{"/app.git/info/refs": "200 Unset ", "/gone": "404 Error Not Found", "/refused": "connection refused Error connection refused"}, said)
}
