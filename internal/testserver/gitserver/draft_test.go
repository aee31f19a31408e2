package gitserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDraftsMoveNothingUntilTheyAreAsked(t *testing.T) {
	server := start(t)
	require.NoError(t, server.Create(t.Context(), "group/app"))
	git := func(args ...string) string {
		out, err := server.Git(t.Context(), "group/app", args...)
		require.NoError(t, err)
		return out
	}
	root, err := server.Commit(t.Context(), "group/app", "main", map[string]string{"a": "1"}, "root")
	require.NoError(t, err)
	anew, err := server.Draft(t.Context(), "group/app", nil, map[string]string{"b": "2"}, "anew")
	require.NoError(t, err)
	merge, err := server.Draft(t.Context(), "group/app", []string{root, anew}, map[string]string{"c": "3"}, "both")
	require.NoError(t, err)
	require.Equal(t, root, git("rev-parse", "main"))
	require.Equal(t, root+" "+anew, git("show", "--no-patch", "--format=%P", merge))
	require.Equal(t, "b", git("ls-tree", "--name-only", anew))

	require.Error(t, server.UpdateRefs(t.Context(), "group/app", "create refs/heads/next "+anew, "create refs/heads/main "+merge))
	require.Equal(t, "refs/heads/main", git("for-each-ref", "--format=%(refname)", "refs/heads"), "all of it or nothing")
	require.NoError(t, server.UpdateRefs(t.Context(), "group/app", "create refs/heads/next "+anew, "update refs/heads/main "+merge))
	require.Equal(t, merge, git("rev-parse", "main"))
}
