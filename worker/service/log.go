package service

import (
	"io"
	"log/slog"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// maxLogged is how much of one value is logged, in characters.
const maxLogged = 8 << 10

// newLogger writes lines without secrets: much of what is logged, such as errors of Temporal's SDK and what it
// was told, is not in our hands.
func newLogger(w io.Writer, mask *foreign.Mask) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch a.Value.Kind() {
			case slog.KindString, slog.KindAny:
				if a.Key != slog.LevelKey {
					a.Value = slog.StringValue(mask.Text(a.Value.String(), maxLogged))
				}
			}
			return a
		},
	}))
}
