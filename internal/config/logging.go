package config

import (
	"fmt"
	"log/slog"
	"strings"
)

// Logging says what of a worker's log is written, and how.
type Logging struct {
	// LogFormat is empty for text on a terminal, and JSON elsewhere.
	LogFormat LogFormat `env:"LOG_FORMAT"`
	LogLevel  LogLevel  `env:"LOG_LEVEL" envDefault:"info"`
}

// LoadLogging reads what is needed to write a log, before anything else is read.
func LoadLogging(environ []string) (Logging, error) {
	return load(environ, func(*Logging, variables) []error { return nil })
}

// LogFormat is how a line is written.
type LogFormat string

// Values of LOG_FORMAT.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *LogFormat) UnmarshalText(text []byte) error {
	switch format := LogFormat(text); format {
	case LogText, LogJSON:
		*f = format
		return nil
	}
	return fmt.Errorf("%q is not %s or %s", text, LogText, LogJSON)
}

// LogLevel is the least that is logged.
type LogLevel slog.Level

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *LogLevel) UnmarshalText(text []byte) error {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(string(text), level.String()) {
			*l = LogLevel(level)
			return nil
		}
	}
	return fmt.Errorf("%q is not debug, info, warn or error", text)
}

// Level implements slog.Leveler.
func (l LogLevel) Level() slog.Level { return slog.Level(l) }

// String is the level as LOG_LEVEL says it.
func (l LogLevel) String() string { return strings.ToLower(slog.Level(l).String()) }
