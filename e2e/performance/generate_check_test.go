package performance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// Made-up repositories are as large as they are to be, and their texts are deltas of each other, as those of real ones.
func TestGenerate(t *testing.T) {
	server, err := gitserver.Start(t.TempDir(), gitserver.Credentials{})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	w := &world{TB: t, Stack: &stack.Stack{Source: &stack.GitServer{Server: server}}}
	for name, size := range map[string]int64{"kilobyte": 1_000, "small": 3_000_000} {
		b := project.Branch{Group: "group", Name: name, Branch: "main"}
		w.generate(b, size)
		packs, err := filepath.Glob(filepath.Join(server.Dir(b.Path()), "objects", "pack", "*.pack"))
		require.NoError(t, err)
		require.Len(t, packs, 1)
		info, err := os.Stat(packs[0])
		require.NoError(t, err)
		require.InDelta(t, size, info.Size(), 0.2*float64(size)+500)
		list, err := server.Git(t.Context(), b.Path(), "verify-pack", "--stat-only", "--verbose", packs[0])
		require.NoError(t, err)
		if name == "small" {
			require.Contains(t, list, "chain length = 10: ")
			t.Log(info.Size(), strings.ReplaceAll(list, "\n", "; "))
		}
	}
}
