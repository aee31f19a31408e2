package packfile

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNewCommit(t *testing.T) {
	t.Parallel()
	for _, message := range []string{"", "short", strings.Repeat("a message of many bytes ", 1000)} {
		pack, id := NewCommit("a program", "nobody@example.com", message)
		dir := t.TempDir()
		git := func(args ...string) string {
			cmd := exec.CommandContext(t.Context(), "git", args...)
			cmd.Dir, cmd.Stdin = dir, bytes.NewReader(pack)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1"}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			return strings.TrimSpace(string(out))
		}
		git("init", "--quiet", "--bare", ".")
		git("index-pack", "--strict", "--stdin")
		git("update-ref", "refs/heads/main", id)
		git("fsck", "--strict")
		require.Equal(t, strings.TrimSpace(message), git("log", "--format=%B", id))
		require.Equal(t, "a program nobody@example.com 1970-01-01T00:00:00+00:00 a program nobody@example.com", git("log", "--format=%an %ae %cI %cn %ce", id))
		require.Empty(t, git("ls-tree", "-r", id))
	}
}
