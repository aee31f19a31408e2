package httpclient

import (
	"errors"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// maxTracedPath is how many characters of a URL's path a span has.
const maxTracedPath = 300

// startSpan begins a span of a request and its answer where the request's context has one that is recorded; else it does nothing. It
// says neither the URL's query, which may have signatures in it, nor any header, and the server is told nothing of it: it is not ours.
func startSpan(req *http.Request) (*http.Request, trace.Span) {
	parent := trace.SpanFromContext(req.Context())
	if !parent.IsRecording() {
		return req, parent
	}
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", req.Method), attribute.String("server.address", req.URL.Hostname()),
		attribute.String("url.scheme", req.URL.Scheme), attribute.String("url.path", foreign.Line(req.URL.Path, maxTracedPath)),
	}
	if port, err := strconv.Atoi(req.URL.Port()); err == nil {
		attributes = append(attributes, attribute.Int("server.port", port))
	}
	ctx, span := parent.TracerProvider().Tracer("github.com/app-sre/git-partition-sync/internal/httpclient").
		Start(req.Context(), req.Method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	return req.WithContext(ctx), span
}

// recordAnswer adds the answer's status to a request's span.
func recordAnswer(span trace.Span, answer *http.Response) {
	span.SetAttributes(attribute.Int("http.response.status_code", answer.StatusCode))
	if answer.StatusCode >= http.StatusBadRequest {
		span.SetStatus(codes.Error, http.StatusText(answer.StatusCode))
	}
}

// recordFailure adds to a request's span why there is no answer, or no whole one. It does not quote the error, which may quote the server.
func recordFailure(span trace.Span, err error) {
	reason := "failed"
	for _, known := range []error{ErrUnknownHost, ErrRefused, ErrUntrusted, ErrCertificate, ErrProxyAuth, ErrProxy, ErrSilent, ErrNoConnection} {
		if errors.Is(err, known) {
			reason = known.Error()
			break
		}
	}
	span.SetAttributes(attribute.String("error.type", reason))
	span.SetStatus(codes.Error, reason)
}
