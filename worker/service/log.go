package service

import (
	"io"
	"log/slog"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// maxLogged is how many characters of one value are logged.
const maxLogged = 8 << 10

// newLogger returns a logger that masks secrets, because much of what is logged, such as errors of Temporal's SDK, is
// not under our control.
func newLogger(w io.Writer, mask *foreign.Mask) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if kind := a.Value.Kind(); a.Key != slog.LevelKey && (kind == slog.KindString || kind == slog.KindAny) {
				a.Value = slog.StringValue(mask.Text(a.Value.String(), maxLogged))
			}
			return a
		},
	}))
}
