package config

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLogging(t *testing.T) {
	for text, level := range map[string]slog.Level{"": slog.LevelInfo, "debug": slog.LevelDebug, "WARN\n": slog.LevelWarn, "error": slog.LevelError} {
		l, err := LoadLogging([]string{"LOG_LEVEL=" + text})
		require.NoError(t, err)
		require.Equal(t, level, l.LogLevel.Level())
		require.Empty(t, l.LogFormat)
	}
	l, err := LoadLogging([]string{"LOG_FORMAT=json"})
	require.NoError(t, err)
	require.Equal(t, LogJSON, l.LogFormat)
	_, err = LoadLogging([]string{"LOG_FORMAT=logfmt", "LOG_LEVEL=info+2"})
	require.EqualError(t, err, "configuration:\n  LOG_FORMAT: \"logfmt\" is not text or json\n  LOG_LEVEL: \"info+2\" is not debug, info, warn or error")
}
