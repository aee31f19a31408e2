package command

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// What was deleted is named by what it was of, and not by keys.
func TestDeletionsByDestination(t *testing.T) {
	t.Parallel()
	b := project.Branch{Group: "enclave/web", Name: "router", Branch: "main"}
	key := func(commit, base string) string {
		key, err := object.ID{Destination: b, Commit: strings.Repeat(commit, 40), Base: strings.Repeat(base, 40)}.Key()
		require.NoError(t, err)
		return key
	}
	predecessors, err := object.ID{Destination: b, Commit: strings.Repeat("c", 40)}.PredecessorKey()
	require.NoError(t, err)
	segment := func(oid string, n int) string {
		key, err := lfs.Key(b, strings.Repeat(oid, 64), n)
		require.NoError(t, err)
		return key
	}
	require.Equal(t, []string{
		"3 objects of enclave/web/router@main", "the producer's catalog", "2 LFS objects of enclave/web/router", "no key of ours",
	}, deletedLines([]string{
		key("a", ""), key("b", "a"), predecessors, catalog.Key, segment("1", 1), segment("1", 2), segment("2", 1), "no key of ours",
	}))
	require.Equal(t, []string{"1 object of enclave/web/router@main"}, deletedLines([]string{key("a", "")}))
}
