package service

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// maskedExporter cleans and masks all words in spans before another exporter sends them.
type maskedExporter struct {
	sdktrace.SpanExporter
	mask *foreign.Mask
}

// ExportSpans implements [sdktrace.SpanExporter].
func (e maskedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	masked := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, s := range spans {
		masked[i] = maskedSpan{s, e.mask}
	}
	return e.SpanExporter.ExportSpans(ctx, masked)
}

type maskedSpan struct {
	sdktrace.ReadOnlySpan
	mask *foreign.Mask
}

// Attributes implements [sdktrace.ReadOnlySpan].
func (s maskedSpan) Attributes() []attribute.KeyValue { return s.words(s.ReadOnlySpan.Attributes()) }

// Events implements [sdktrace.ReadOnlySpan].
func (s maskedSpan) Events() []sdktrace.Event {
	events := append([]sdktrace.Event(nil), s.ReadOnlySpan.Events()...)
	for i := range events {
		events[i].Attributes = s.words(events[i].Attributes)
	}
	return events
}

// Status implements [sdktrace.ReadOnlySpan].
func (s maskedSpan) Status() sdktrace.Status {
	status := s.ReadOnlySpan.Status()
	status.Description = s.mask.Text(status.Description, maxLogged)
	return status
}

func (s maskedSpan) words(attrs []attribute.KeyValue) []attribute.KeyValue {
	masked := append([]attribute.KeyValue(nil), attrs...)
	for i, a := range masked {
		if a.Value.Type() == attribute.STRING {
			masked[i].Value = attribute.StringValue(s.mask.Text(a.Value.AsString(), maxLogged))
		}
	}
	return masked
}
