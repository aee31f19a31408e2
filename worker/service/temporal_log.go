package service

import (
	"context"
	"log/slog"
)

// sdkKeys are the names of Temporal's SDK for what has a name of ours in all other lines; an empty one leaves the attribute out.
var sdkKeys = map[string]string{
	"WorkflowID": "workflow_id", "RunID": "run_id", "WorkflowType": "workflow", "ActivityType": "step", "ActivityID": "activity_id", "Attempt": "attempt",
	"TaskQueue": "task_queue", "Error": "error", "PanicError": "error", "StackTrace": "stack", "PanicStack": "stack", "TraceID": "trace_id", "SpanID": "span_id",
	"Namespace": "", "WorkerID": "",
}

// sdkNoise is what the SDK says at other levels, and what is either said here in other words, with what it is about, or news for
// developers only.
var sdkNoise = map[string]bool{
	"Activity error.": true, "Activity complete after timeout.": true, // each step's failure is in its own line
	"Started Worker": true, "Stopped Worker": true, "Worker graceful stop timed out.": true,
	"Task processing failed with error": true, "Task processing failed with client side error": true,
	// While Temporal is not reached, each poller and each step says so again and again: see watchTemporal.
	"Failed to poll for task.": true, "RecordActivityHeartbeat with error": true, "Failed to send heartbeat": true, "Failed polling worker command task": true,
	"No metrics handler configured for temporal worker. Use NopHandler as default.": true,
}

// sdkHandler has Temporal's SDK speak as the rest of the log does.
type sdkHandler struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h sdkHandler) Handle(ctx context.Context, r slog.Record) error {
	if sdkNoise[r.Message] {
		r.Level = slog.LevelDebug
		if !h.Enabled(ctx, r.Level) {
			return nil
		}
	}
	renamed := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		renamed.AddAttrs(renameSDKKeys([]slog.Attr{a})...)
		return true
	})
	return h.Handler.Handle(ctx, renamed)
}

// WithAttrs implements [slog.Handler].
func (h sdkHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return sdkHandler{h.Handler.WithAttrs(renameSDKKeys(attrs))}
}

// WithGroup implements [slog.Handler].
func (h sdkHandler) WithGroup(name string) slog.Handler { return sdkHandler{h.Handler.WithGroup(name)} }

func renameSDKKeys(attrs []slog.Attr) (renamed []slog.Attr) {
	for _, a := range attrs {
		if own, known := sdkKeys[a.Key]; known {
			a.Key = own
		}
		if a.Key != "" {
			renamed = append(renamed, a)
		}
	}
	return renamed
}
