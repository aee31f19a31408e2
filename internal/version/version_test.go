package version_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/version"
)

// It goes into headers of requests, where a space would begin something else.
func TestAgent(t *testing.T) {
	t.Parallel()
	require.Regexp(t, `^git-partition-sync/[^ ]+$`, version.Agent())
}
