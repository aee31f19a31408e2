package service

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// quiet is a log for Temporal's SDK that nobody reads.
var quiet = log.NewStructuredLogger(slog.New(slog.DiscardHandler))

const loggedSecret = "s3cret-token"

func TestLogsTellNoSecrets(t *testing.T) {
	var out bytes.Buffer
	logger := log.With(log.NewStructuredLogger(newLogger(&out, foreign.NewMask(loggedSecret), config.Logging{LogFormat: config.LogText})), "With", loggedSecret)
	logger.Warn("told s3cret-token", "Error", errors.New("sent s3cret\r-token\x1b[31m"), "Any", []string{loggedSecret}, "Attempt", 3)
	require.NotContains(t, out.String(), "s3cret")
	require.Regexp(t, `level=WARN msg="told \*\*\*" With=\*\*\* Error="sent \*\*\*" Any=\[\*\*\*\] Attempt=3\n$`, out.String())
}

// lazy is resolved when it is logged.
type lazy string

func (l lazy) LogValue() slog.Value { return slog.GroupValue(slog.String("in "+string(l), string(l))) }

// In whatever form and place a value comes, JSON has no secret in it, and numbers stay numbers.
func TestJSONLogsTellNoSecrets(t *testing.T) {
	var out bytes.Buffer
	newLogger(&out, foreign.NewMask(loggedSecret), config.Logging{}).With("with", loggedSecret).WithGroup("of "+loggedSecret).With(loggedSecret, 1).
		Error("told "+loggedSecret, "bytes", 12, "took", 90*time.Second, "lazy", lazy(loggedSecret), "any", map[string]string{loggedSecret: loggedSecret}, loggedSecret, true,
			slog.Group("group", slog.Group(loggedSecret, "key", loggedSecret, "error", errors.New(loggedSecret))))
	require.NotContains(t, out.String(), "s3cret")
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	delete(line, "time")
	require.Equal(t, map[string]any{
		"level": "ERROR", "msg": "told ***", "with": "***",
		"of ***": map[string]any{
			"***": true, "bytes": 12.0, "took": "1m30s", "any": "map[***:***]", "lazy": map[string]any{"in ***": "***"},
			"group": map[string]any{"***": map[string]any{"key": "***", "error": "***"}},
		},
	}, line)
}

// Names of variables that have a user's name in them are no secrets.
func TestKeysStayWhole(t *testing.T) {
	var out bytes.Buffer
	newLogger(&out, foreign.NewMask("destination-bot:hunter2"), config.Logging{}).Info("x", "ALLOWED_DESTINATIONS", 1, "destination", 2, "destination-bot:hunter2", 3)
	require.Contains(t, out.String(), `"ALLOWED_DESTINATIONS":1,"destination":2,"***":3`)
}

func TestLogLevel(t *testing.T) {
	for level, want := range map[slog.Level]string{slog.LevelDebug: "dbg inf wrn err", slog.LevelInfo: "inf wrn err", slog.LevelWarn: "wrn err", slog.LevelError: "err"} {
		var out bytes.Buffer
		logger := newLogger(&out, nil, config.Logging{LogLevel: config.LogLevel(level)})
		logger.Debug("dbg")
		logger.Info("inf")
		logger.Warn("wrn")
		logger.Error("err")
		said := ""
		for line := range bytes.Lines(out.Bytes()) {
			var l struct{ Msg string }
			require.NoError(t, json.Unmarshal(line, &l))
			said += l.Msg + " "
		}
		require.Equal(t, want+" ", said)
	}
}

// What Temporal's SDK says has our names, and its noise is for those who look for it.
func TestSDKSpeaksAsWeDo(t *testing.T) {
	for level, want := range map[slog.Level]string{
		slog.LevelInfo:  `level=ERROR msg="Workflow panic" workflow_id=w run_id=r step=Clone attempt=2 error=e`,
		slog.LevelDebug: `level=DEBUG msg="Started Worker" workflow_id=w run_id=r step=Clone attempt=2` + "\n" + `level=ERROR msg="Workflow panic" workflow_id=w run_id=r step=Clone attempt=2 error=e`,
	} {
		var out bytes.Buffer
		written := slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})
		logger := log.With(log.NewStructuredLogger(slog.New(sdkHandler{written})), "Namespace", "n", "WorkerID", "1@host@", "WorkflowID", "w", "RunID", "r", "ActivityType", "Clone", "Attempt", 2)
		logger.Info("Started Worker", "Namespace", "n")
		logger.Error("Workflow panic", "Error", errors.New("e"))
		require.Equal(t, want+"\n", out.String())
	}
}
