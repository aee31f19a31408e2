// Package s3test gives tests an S3 server of their own.
package s3test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server"
)

// Bucket is a bucket on a running server, with one user for each side.
type Bucket struct {
	*s3server.Server
	Name     string
	Producer s3server.Credentials // lists, reads, writes and deletes
	Consumer s3server.Credentials // lists and reads
	dir      string
}

// Start runs a server with one empty bucket until the test ends.
func Start(t testing.TB) *Bucket {
	t.Helper()
	dir := t.TempDir()
	srv, err := s3server.Start(context.Background(), s3server.Options{
		Binary: Binary(t),
		Dir:    dir,
		Log:    t.Output(),
	})
	require.NoError(t, err)
	t.Cleanup(srv.Stop)
	b := &Bucket{
		Server:   srv,
		Name:     "partition",
		Producer: s3server.Credentials{AccessKey: "producer", SecretKey: rand.Text()},
		Consumer: s3server.Credentials{AccessKey: "consumer", SecretKey: rand.Text()},
		dir:      dir,
	}
	require.NoError(t, srv.CreateBucket(t.Context(), b.Name))
	require.NoError(t, srv.AddUser(t.Context(), b.Producer))
	require.NoError(t, srv.AddUser(t.Context(), b.Consumer))
	require.NoError(t, srv.Grant(t.Context(), b.Name, b.Producer.AccessKey, b.Consumer.AccessKey))
	return b
}

// Binary finds versitygw: $VERSITYGW, or .tools/bin below the module's root.
// A missing server fails the test: skipping would hide that nothing was tested.
func Binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv("VERSITYGW")
	if path == "" {
		path = filepath.Join(moduleRoot(t), ".tools", "bin", "versitygw")
	}
	_, err := os.Stat(path)
	require.NoError(t, err, "versitygw is missing: run `make tools`")
	return path
}

func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, parent, dir, "no go.mod above the test's folder")
		dir = parent
	}
}

// Date gives an object the time at which it was stored.
func (b *Bucket) Date(key string, at time.Time) error {
	return os.Chtimes(filepath.Join(b.dir, "data", b.Name, filepath.FromSlash(key)), at, at)
}
