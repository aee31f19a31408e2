package service

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
)

const (
	// maxLogged is how many characters of one value are logged, and maxLoggedKey how many of a key.
	maxLogged    = 8 << 10
	maxLoggedKey = 100
)

// newLogger returns a logger that masks secrets, because much of what is logged, such as errors of Temporal's SDK, is
// not under our control.
func newLogger(w io.Writer, mask *foreign.Mask, how config.Logging) *slog.Logger {
	options := &slog.HandlerOptions{Level: how.LogLevel}
	var written slog.Handler = slog.NewJSONHandler(w, options)
	if how.LogFormat == config.LogText || how.LogFormat == "" && isTerminal(w) {
		written = slog.NewTextHandler(w, options)
	}
	return slog.New(&maskedHandler{written, mask})
}

func isTerminal(w io.Writer) bool {
	file, is := w.(*os.File)
	return is && term.IsTerminal(int(file.Fd()))
}

// maskedHandler cleans and masks all words of a record, keys and those in groups included, before another handler writes them.
type maskedHandler struct {
	slog.Handler
	mask *foreign.Mask
}

// Handle implements [slog.Handler].
func (h *maskedHandler) Handle(ctx context.Context, r slog.Record) error {
	masked := slog.NewRecord(r.Time, r.Level, h.mask.Text(r.Message, maxLogged), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		masked.AddAttrs(h.attr(a))
		return true
	})
	return h.Handler.Handle(ctx, masked)
}

// WithAttrs implements [slog.Handler].
func (h *maskedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &maskedHandler{h.Handler.WithAttrs(h.attrs(attrs)), h.mask}
}

// WithGroup implements [slog.Handler].
func (h *maskedHandler) WithGroup(name string) slog.Handler {
	return &maskedHandler{h.Handler.WithGroup(h.key(name)), h.mask}
}

func (h *maskedHandler) attrs(attrs []slog.Attr) []slog.Attr {
	masked := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		masked[i] = h.attr(a)
	}
	return masked
}

// key masks whole secrets only. In a text, what begins like a secret at its end may be one that was cut; keys are whole, and some have a
// user's name in them by chance.
func (h *maskedHandler) key(key string) string {
	const edge = "||||||||||||||||||||||||||||||||"
	return strings.Trim(h.mask.Line(edge+key+edge, maxLoggedKey+2*len(edge)), "|")
}

func (h *maskedHandler) attr(a slog.Attr) slog.Attr {
	a.Key = h.key(a.Key)
	switch a.Value = a.Value.Resolve(); a.Value.Kind() {
	case slog.KindGroup:
		a.Value = slog.GroupValue(h.attrs(a.Value.Group())...)
	case slog.KindString, slog.KindAny:
		a.Value = slog.StringValue(h.mask.Text(a.Value.String(), maxLogged))
	case slog.KindDuration: // JSON would have nanoseconds
		a.Value = slog.StringValue(a.Value.String())
	default: // numbers, times and truths
	}
	return a
}
