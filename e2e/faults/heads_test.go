package faults_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// heads reads a repository's branches and tags past all faults, from its files: a process for each look, several times a second in
// each world, would be most of what the machine does.
func heads(server *gitserver.Server, repo string) map[string]string {
	heads := map[string]string{}
	packed, _ := os.ReadFile(filepath.Join(server.Dir(repo), "packed-refs"))
	for line := range strings.Lines(string(packed)) {
		if object, ref, ok := strings.Cut(strings.TrimSpace(line), " "); ok && isHead(ref) {
			heads[ref] = object[:min(10, len(object))]
		}
	}
	for _, kind := range []string{"refs/heads", "refs/tags"} {
		_ = fs.WalkDir(os.DirFS(server.Dir(repo)), kind, func(ref string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() { // what has just gone is none
				return nil
			}
			if object, err := os.ReadFile(filepath.Join(server.Dir(repo), ref)); err == nil && len(object) > 10 && isHead(ref) {
				heads[ref] = string(object[:10])
			}
			return nil
		})
	}
	return heads
}

func isHead(ref string) bool {
	return (strings.HasPrefix(ref, "refs/heads/") || strings.HasPrefix(ref, "refs/tags/")) && !strings.HasSuffix(ref, ".lock")
}

// TestHeads: they are what git says.
func TestHeads(t *testing.T) {
	t.Parallel()
	server, err := gitserver.Start(t.TempDir(), gitserver.Credentials{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	require.NoError(t, server.Create(t.Context(), "a/b"))
	want := map[string]string{}
	for _, branch := range []string{"main", "packed/and/moved"} {
		commit, err := server.Commit(t.Context(), "a/b", branch, map[string]string{"file": branch}, "one")
		require.NoError(t, err)
		want["refs/heads/"+branch] = commit[:10]
	}
	_, err = server.Git(t.Context(), "a/b", "tag", "v1", "main")
	require.NoError(t, err)
	want["refs/tags/v1"] = want["refs/heads/main"]
	require.Equal(t, want, heads(server, "a/b"))

	_, err = server.Git(t.Context(), "a/b", "pack-refs", "--all")
	require.NoError(t, err)
	require.Equal(t, want, heads(server, "a/b"))
	commit, err := server.Commit(t.Context(), "a/b", "packed/and/moved", map[string]string{"file": "two"}, "two")
	require.NoError(t, err)
	want["refs/heads/packed/and/moved"] = commit[:10]
	require.Equal(t, want, heads(server, "a/b"))
}
