package check_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRules has promtool evaluate the alerts over made-up hours. It is in Debian's package prometheus.
func TestRules(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("promtool is not installed")
	}
	for _, args := range [][]string{{"check", "rules", "rules.yml"}, {"test", "rules", "rules_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), "promtool", args...)
		cmd.Dir = "../observability"
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}
