package gitlab_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
)

func at(t *testing.T, address string) gitlab.Instance {
	t.Helper()
	base, err := url.Parse(address)
	require.NoError(t, err)
	return gitlab.At(base)
}

func TestRepositoryAndProjectUndoEachOther(t *testing.T) {
	for address, want := range map[string]string{
		"https://gitlab.example.com":                        "https://gitlab.example.com/group/sub/app.v2.git",
		"https://gitlab.example.com/":                       "https://gitlab.example.com/group/sub/app.v2.git",
		"https://example.com:8443/git%20lab/":               "https://example.com:8443/git%20lab/group/sub/app.v2.git",
		"https://bot:s3cret@gitlab.example.com?private#tab": "https://gitlab.example.com/group/sub/app.v2.git",
	} {
		instance := at(t, address)
		repository, err := instance.Repository("group/sub/app.v2")
		require.NoError(t, err)
		require.Equal(t, want, repository.String())
		project, below := instance.Project(repository)
		require.True(t, below)
		require.Equal(t, "group/sub/app.v2", project)
	}
}

func TestRepositoryEscapesNames(t *testing.T) {
	repository, err := at(t, "https://gitlab.example.com").Repository("grüppe/a?b")
	require.NoError(t, err)
	require.Equal(t, "https://gitlab.example.com/gr%C3%BCppe/a%3Fb.git", repository.String())
}

func TestRepositoryStaysBelowTheAddress(t *testing.T) {
	for _, path := range []string{"../app", "group/../../app", "group/./app", "/app", "group//app"} {
		_, err := at(t, "https://example.com/gitlab").Repository(path)
		require.ErrorContains(t, err, "invalid repository path", path)
	}
}

func TestProjectIsBelowTheAddress(t *testing.T) {
	for _, elsewhere := range []string{"https://example.com/app.git", "https://example.com/gitlab.git", "https://example.com/gitlabs/group/app.git"} {
		u, err := url.Parse(elsewhere)
		require.NoError(t, err)
		_, below := at(t, "https://example.com/gitlab/").Project(u)
		require.False(t, below, elsewhere)
	}
}

// A path with slashes is one segment of a URL of the API.
func TestAPIIsBelowTheAddress(t *testing.T) {
	for address, want := range map[string]string{
		"https://gitlab.example.com":                  "https://gitlab.example.com/api/v4/groups/platform%2Fedge.v2",
		"https://bot:s3cret@example.com:8443/gitlab/": "https://example.com:8443/gitlab/api/v4/groups/platform%2Fedge.v2",
	} {
		require.Equal(t, want, at(t, address).API("groups", "platform/edge.v2").String())
	}
	require.Equal(t, "https://gitlab.example.com/api/v4/groups", at(t, "https://gitlab.example.com").API("groups").String())
}
