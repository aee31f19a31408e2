package project_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// A ref has one name in keys, locks and chains, whatever a sync calls it, and no two refs share one.
func TestCanonicalBranch(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ name, ref string }{
		"main":             {"main", "refs/heads/main"},
		"refs/heads/main":  {"main", "refs/heads/main"},
		"refs/heads/a/b":   {"a/b", "refs/heads/a/b"},
		"heads/main":       {"heads/main", "refs/heads/heads/main"},
		"tags/v1":          {"tags/v1", "refs/heads/tags/v1"},
		"refs":             {"refs", "refs/heads/refs"},
		"refs/heads/refs":  {"refs", "refs/heads/refs"},
		"refs/tags/v1":     {"refs/tags/v1", "refs/tags/v1"},
		"refs/tags/tags/1": {"refs/tags/tags/1", "refs/tags/tags/1"},
	} {
		b := project.Branch{Group: "g", Name: "p", Branch: project.CanonicalBranch(text)}
		require.Equal(t, want.name, b.Branch)
		require.Equal(t, want.ref, b.Ref())
		require.Equal(t, strings.HasPrefix(want.ref, "refs/tags/"), b.IsTag())
		require.NoError(t, b.Validate())
		require.Equal(t, b.Branch, project.CanonicalBranch(b.Branch))

		parsed, err := project.ParseBranch("g/p@" + text)
		require.NoError(t, err)
		require.Equal(t, b, parsed)
	}
	require.Equal(t, "branch", project.Branch{Branch: "main"}.Kind())
	require.Equal(t, "tag", project.Branch{Branch: "refs/tags/v1"}.Kind())
}

func TestOtherRefsAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"refs/notes/commits":         "is neither a branch (main) nor a tag (refs/tags/v1)",
		"refs/merge-requests/1/head": "is neither a branch",
		"refs/git-partition-sync/x":  "is neither a branch",
		"refs/tags":                  "is neither a branch",
		"refs/heads":                 "is neither a branch",
		"refs/Tags/v1":               "is neither a branch",
		"refs/":                      "is neither a branch",
		"refs/heads/":                "is empty",
		"refs/tags/":                 "is empty",
		"refs/heads/HEAD":            "is reserved by git",
		"refs/tags/HEAD":             "is reserved by git",
		"refs/tags/-v1":              "starts with '-'",
		"refs/tags//v1":              "has an empty path component",
		"refs/tags/../heads/main":    "contains '..'",
		"refs/tags/v1^{}":            "contains a space",
		// A second look would take what is behind refs/heads/ for another ref.
		"refs/heads/refs/heads/main": "is neither a branch",
		"refs/heads/refs/tags/v1":    "is neither a branch",
		"refs/heads/refs/x":          "is neither a branch",

		"refs/tags/" + strings.Repeat("t", 241): "251 bytes, limit 250",
	} {
		require.ErrorContains(t, project.ValidateBranch(project.CanonicalBranch(text)), want, "%q", text)
		_, err := project.ParseBranch("g/p@" + text)
		require.ErrorContains(t, err, want, "%q", text)
	}
	require.ErrorContains(t, project.ValidateBranch("refs/heads/main"), "is neither a branch", "in a key")
}

func TestTagNamesAgreeWithGit(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"v1", "v1.0", "release/größe", "a@b", "a..b", "a.lock", ".a", "a/", "a//b", "a b", "a~1", "a^", "a:b", "a?", "a[", `a\b`, "a.", "@{", "a@{1}"} {
		git := exec.CommandContext(t.Context(), "git", "check-ref-format", "refs/tags/"+name).Run() == nil
		require.Equal(t, git, project.ValidateBranch("refs/tags/"+name) == nil, "%q", name)
	}
}

func TestBranchAndTagAreNoSync(t *testing.T) {
	t.Parallel()
	main, v1 := project.Branch{Group: "g", Name: "p", Branch: "main"}, project.Branch{Group: "g", Name: "p", Branch: "refs/tags/v1"}
	require.NoError(t, project.Sync{Source: v1, Destination: v1}.Validate())
	require.EqualError(t, project.Sync{Source: main, Destination: v1}.Validate(), `the branch "main" cannot become the tag "refs/tags/v1": name on both sides a branch, a tag, a pattern of branches, a pattern of tags, or refs/*`)
	require.EqualError(t, project.Sync{Source: v1, Destination: main}.Validate(), `the tag "refs/tags/v1" cannot become the branch "main": name on both sides a branch, a tag, a pattern of branches, a pattern of tags, or refs/*`)
}
