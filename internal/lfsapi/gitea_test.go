package lfsapi_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/giteaserver"
)

var assets = project.Branch{Group: "design", Name: "assets", Branch: "main"}

const assetsPath = "design/assets"

// startGitea runs a Gitea with one private project, which the user of login may write to, and returns clients of it by user.
func startGitea(t *testing.T, withoutLFS bool) (*giteaserver.Server, func(user, password string) *lfsapi.Client) {
	t.Helper()
	o, err := giteaserver.Find("../..")
	if _, noCompiler := exec.LookPath("gcc"); errors.Is(err, fs.ErrNotExist) && noCompiler != nil {
		t.Skip("Gitea is built where there is a C compiler")
	}
	require.NoError(t, err)
	o.Dir, o.WithoutLFS = filepath.Join(t.TempDir(), "gitea"), withoutLFS
	server, err := giteaserver.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	require.NoError(t, server.AddProject(t.Context(), assets, map[string]any{"name": assets.Name, "private": true, "auto_init": true}))
	for user, permission := range map[string]string{login.User: "write", "reader": "read", "stranger": ""} {
		require.NoError(t, server.AddUser(t.Context(), user, login.Password))
		if permission != "" {
			require.NoError(t, server.AddCollaborator(t.Context(), assets, user, permission))
		}
	}
	base, err := url.Parse(server.URL)
	require.NoError(t, err)
	return server, func(user, password string) *lfsapi.Client {
		return lfsapi.New(lfsapi.Options{Forge: gitlab.At(base), Username: user, Password: password})
	}
}

// A real forge's LFS server takes and gives objects, and tells who may not.
func TestGitea(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs Gitea")
	}
	server, as := startGitea(t, false)
	client := as(login.User, login.Password)
	content := random(300_000)
	o := objectOf(content)
	ask := func(c *lfsapi.Client, op lfsapi.Operation, o lfs.Object) (lfsapi.Transfer, error) {
		transfers, err := c.Batch(t.Context(), assetsPath, op, []lfs.Object{o})
		if err != nil {
			return lfsapi.Transfer{}, err
		}
		return transfers[0], transfers[0].Err()
	}

	enabled, err := client.Enabled(t.Context(), assetsPath)
	require.NoError(t, err)
	require.True(t, enabled)
	_, err = ask(client, lfsapi.Download, o)
	require.ErrorIs(t, err, lfsapi.ErrMissing)

	up, err := ask(client, lfsapi.Upload, o)
	require.NoError(t, err)
	require.True(t, up.Needed())
	wrong := bytes.Clone(content)
	wrong[0]++
	require.ErrorIs(t, client.Upload(t.Context(), up, bytes.NewReader(wrong)), lfsapi.ErrRejected)
	require.NoError(t, client.Upload(t.Context(), up, bytes.NewReader(content)))
	stored, err := os.ReadFile(server.LFSFile(o.OID))
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, stored))
	up, err = ask(client, lfsapi.Upload, o)
	require.NoError(t, err)
	require.False(t, up.Needed())

	for _, have := range []int{0, 1000, len(content) - 1} {
		file := newFile(t, content[:have])
		down, err := ask(as("reader", login.Password), lfsapi.Download, o)
		require.NoError(t, err)
		require.NoError(t, as("reader", login.Password).Download(t.Context(), down, file))
		require.True(t, bytes.Equal(content, contentOf(t, file)))
	}
	o.Size++
	_, err = ask(client, lfsapi.Download, o)
	require.ErrorIs(t, err, lfsapi.ErrRejected) // and not another content

	for _, user := range []string{"stranger", "reader"} { // whom GitLab answers 404 and 403
		_, err = ask(as(user, login.Password), lfsapi.Upload, o)
		require.ErrorIs(t, err, lfsapi.ErrUnauthorized, user)
	}
	_, err = as(login.User, "wrong").Enabled(t.Context(), assetsPath)
	require.ErrorIs(t, err, lfsapi.ErrUnauthorized)
}

func TestGiteaWithoutLFS(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs Gitea")
	}
	_, as := startGitea(t, true)
	enabled, err := as(login.User, login.Password).Enabled(t.Context(), assetsPath)
	require.NoError(t, err)
	require.False(t, enabled)
}
