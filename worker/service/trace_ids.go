package service

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// rootKey is where a context has the text that a trace's IDs are made of.
type rootKey struct{}

// withRoot returns a context in which a trace always has the same IDs that begins with a run of this name and start. A worker that
// takes a run over, or shows it again, runs it from its history, and would begin another trace.
func withRoot(ctx context.Context, name string, start time.Time) context.Context {
	return context.WithValue(ctx, rootKey{}, name+" "+start.UTC().Format(time.RFC3339Nano))
}

// traceIDs are random, but for those of withRoot.
type traceIDs struct{}

// NewIDs implements sdktrace.IDGenerator.
func (traceIDs) NewIDs(ctx context.Context) (id trace.TraceID, span trace.SpanID) {
	root, ok := ctx.Value(rootKey{}).(string)
	if !ok {
		_, _ = rand.Read(id[:]) // never fails
		return id, traceIDs{}.NewSpanID(ctx, id)
	}
	sum := sha256.Sum256([]byte(root))
	copy(span[:], sum[copy(id[:], sum[:]):])
	return id, span
}

// NewSpanID implements sdktrace.IDGenerator.
func (traceIDs) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	_, _ = rand.Read(id[:])
	return id
}
