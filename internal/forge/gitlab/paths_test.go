package gitlab_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
)

func TestValidateProject(t *testing.T) {
	const group, name = "platform/edge-1", ".proxy_2"
	tests := map[string]struct{ group, name, want string }{
		"no group":          {"", name, "group name is empty"},
		"leading slash":     {"/a", name, `group path "/a": group name is empty`},
		"trailing slash":    {"a/", name, `group path "a/": group name is empty`},
		"group climbs":      {"a/../b", name, `group ".."`},
		"group dot":         {"a/.", name, `group "."`},
		"group dash":        {"a/-", name, `group "-": starts with '-'`},
		"group not ASCII":   {"größe", name, `only letters`},
		"no project":        {group, "", "project name is empty"},
		"project has slash": {group, "a/b", `project "a/b"`},
		"project climbs":    {group, "..", `project ".."`},
		"project dash":      {group, "-x", `project "-x"`},
		"project query":     {group, "a?b", `project "a?b"`},
		"project newline":   {group, "a\n", `project "a\n"`},
		"project .git":      {group, "a.git", `'.git'`},
		"project .atom":     {group, "a.atom", `'.atom'`},
		"project .wiki":     {group, "app.wiki", `project "app.wiki": that is where the wiki of "app" is`},
		"both":              {"", "", "group name is empty\nproject name is empty"},
		"path too long":     {strings.Repeat("g", 250), "app.v2", "257 bytes, limit 255"},
	}
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			require.ErrorContains(t, gitlab.ValidateProject(test.group, test.name), test.want)
		})
	}
	require.NoError(t, gitlab.ValidateProject(group, name))
	require.NoError(t, gitlab.ValidateProject(strings.Repeat("g", 127), strings.Repeat("n", 127)), "the longest path")
}

func TestCaseOfPathsDoesNotCount(t *testing.T) {
	require.Equal(t, gitlab.CanonicalPath("mirror/platform/router"), gitlab.CanonicalPath("Mirror/PLATFORM/Router"))
	require.NotEqual(t, gitlab.CanonicalPath("mirror/platform/router"), gitlab.CanonicalPath("mirror/platform/routers"))
}
