package lfsapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

const repo = "group/sub/näme"

var login = gitserver.Credentials{User: "bot", Password: "s3cret-password"}

// newServer starts an LFS server with one empty repository, and a client of it.
func newServer(t *testing.T, opts ...gitserver.Option) (*gitserver.LFS, *lfsapi.Client) {
	t.Helper()
	server, err := gitserver.Start(t.TempDir(), login, append(opts, gitserver.WithLFS())...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	require.NoError(t, server.Create(t.Context(), repo))
	return server.LFS(), newClient(t, server.URL(), lfsapi.Options{})
}

func newClient(t *testing.T, base string, opts lfsapi.Options) *lfsapi.Client {
	t.Helper()
	u, err := url.Parse(base)
	require.NoError(t, err)
	opts.Forge, opts.Username, opts.Password = gitlab.At(u), login.User, login.Password
	return lfsapi.New(opts)
}

func objectOf(content []byte) lfs.Object {
	sum := sha256.Sum256(content)
	return lfs.Object{OID: hex.EncodeToString(sum[:]), Size: int64(len(content))}
}

// ask is a batch about one object.
func ask(t *testing.T, c *lfsapi.Client, op lfsapi.Operation, o lfs.Object) lfsapi.Transfer {
	t.Helper()
	transfers, err := c.Batch(t.Context(), repo, op, []lfs.Object{o})
	require.NoError(t, err)
	require.Len(t, transfers, 1)
	require.Equal(t, o, transfers[0].Object)
	return transfers[0]
}

// newFile is a file with the beginning of an object.
func newFile(t *testing.T, content []byte) *os.File {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "object"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	_, err = file.Write(content)
	require.NoError(t, err)
	return file
}

func contentOf(t *testing.T, file *os.File) []byte {
	t.Helper()
	content, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	return content
}
