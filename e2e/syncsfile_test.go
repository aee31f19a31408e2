package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/syncsfile"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// fiveLines is the file of syncs that the README begins with.
func fiveLines(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(text), "\n## Run it\n")
	require.True(t, found)
	_, after, found = strings.Cut(after, "```yaml\n")
	require.True(t, found)
	file, _, _ := strings.Cut(after, "```")
	require.Equal(t, 5, strings.Count(file, "\n"))
	return file
}

// A newcomer's five lines, without a GraphQL server, sync; a change of the file needs no restart, and a mistake in it changes nothing.
func TestNewcomersFiveLines(test *testing.T) {
	test.Parallel()
	t := begin(test)
	bucket := t.bucket
	file := filepath.Join(t.TempDir(), "syncs.yaml")
	require.NoError(t, os.WriteFile(file, []byte(fiveLines(t)), 0o600))
	syncs, err := syncsfile.At(file).Syncs(t.Context())
	require.NoError(t, err)
	require.Len(t, syncs, 2)
	heads := map[string]string{}
	for _, s := range syncs {
		heads[s.Destination.String()] = commit(t, s.Source.String())
		create(t, t.Destination, s.Destination.Path())
	}
	require.NoError(t, t.Workers[stack.Producer].Stop())
	require.NoError(t, t.StartWorker(t.Context(), stack.Producer, "GRAPHQL_SERVER=", "GRAPHQL_USERNAME=", "GRAPHQL_PASSWORD=", "SYNCS_FILE="+file))
	defer restartWorkers(t)

	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)
	for destination, want := range heads {
		b := branch(destination)
		got, err := t.Destination.Heads(t.Context(), b.Path())
		require.NoError(t, err)
		require.Equal(t, want, got[b.Branch], destination)
	}

	require.NoError(t, os.WriteFile(file, nil, 0o600))
	before := keys(t, bucket)
	require.Contains(t, failingCycle(t, stack.Producer), "there is nothing in it")
	require.Equal(t, before, keys(t, bucket), "an empty file is not one that asks for no sync")

	require.NoError(t, os.WriteFile(file, []byte("syncs: []\n"), 0o600))
	require.Contains(t, failingCycle(t, stack.Producer), "PruneRefused")
	require.Equal(t, before, keys(t, bucket))
}
