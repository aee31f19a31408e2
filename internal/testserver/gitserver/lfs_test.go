package gitserver_test

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// Stock git-lfs pushes to the server, by way of the Git server and of the store, and clones from it.
func TestStockGitLFS(t *testing.T) {
	t.Parallel()
	for name, switches := range map[string]gitserver.LFSSwitches{
		"at the git server": {},
		"in the store":      {Store: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, gitserver.WithLFS())
			server.LFS().Switch(func(s *gitserver.LFSSwitches) { *s = switches })
			require.NoError(t, server.Create(t.Context(), "group/large"))
			require.NoError(t, server.LFS().RefuseMissing("group/large"))
			work := filepath.Join(t.TempDir(), "work")
			run := func(dir string, args ...string) {
				t.Helper()
				out, err := git(t, dir, append([]string{
					"-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "filter.lfs.clean=git-lfs clean -- %f",
					"-c", "filter.lfs.smudge=git-lfs smudge -- %f", "-c", "filter.lfs.required=true",
				}, args...)...)
				require.NoError(t, err, out)
			}
			content := make([]byte, 100_000)
			_, _ = rand.Read(content)
			run(".", "init", "-q", "-b", "main", work)
			run(work, "lfs", "track", "*.bin")
			require.NoError(t, os.WriteFile(filepath.Join(work, "a.bin"), content, 0o644))
			run(work, "add", ".")
			run(work, "commit", "-q", "-m", "large")

			out, err := git(t, work, "-c", "core.hooksPath=/dev/null", "push", withLogin(server, "group/large"), "main")
			require.Error(t, err) // without the hook of git-lfs
			require.Contains(t, out, "LFS objects are missing")
			run(work, "lfs", "push", withLogin(server, "group/large"), "main")
			run(work, "push", "-q", withLogin(server, "group/large"), "main")
			require.Equal(t, 1, server.LFS().Counts().Uploads)

			run(".", "clone", "-q", withLogin(server, "group/large"), work+"2")
			got, err := os.ReadFile(filepath.Join(work+"2", "a.bin"))
			require.NoError(t, err)
			require.True(t, bytes.Equal(content, got))
			require.Equal(t, 1, server.LFS().Counts().Downloads)
		})
	}
}
