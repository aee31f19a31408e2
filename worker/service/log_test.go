package service

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

func TestLogsTellNoSecrets(t *testing.T) {
	var out bytes.Buffer
	logger := log.With(log.NewStructuredLogger(newLogger(&out, foreign.NewMask("s3cret-token"))), "With", "s3cret-token")
	logger.Warn("told s3cret-token", "Error", errors.New("sent s3cret\r-token\x1b[31m"), "Any", []string{"s3cret-token"}, "Attempt", 3)
	require.NotContains(t, out.String(), "s3cret")
	require.Regexp(t, `level=WARN msg="told \*\*\*" With=\*\*\* Error="sent \*\*\*" Any=\[\*\*\*\] Attempt=3\n$`, out.String())
}
