package smarthttp_test

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// A relay of 60 MB may not allocate, in total, more than a fraction of that.
// The servers are processes of their own, but for the CGI's copy loops.
func TestRelayHoldsNoRepositoryInMemory(t *testing.T) { // not parallel: it counts what is allocated
	if testing.Short() {
		t.Skip("generates 60 MB")
	}
	const size, allowed = 60 << 20, 4 << 20
	source, from := newServer(t)
	destination, to := newServer(t)
	tip, err := source.Generate(t.Context(), repo, "main", gitserver.History{Bytes: size, Commits: 600})
	require.NoError(t, err)
	file, err := os.Create(filepath.Join(t.TempDir(), "pack"))
	require.NoError(t, err)
	defer func() { _ = file.Close() }()

	var packSize int64
	require.Less(t, allocated(func() {
		stream, err := from.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo, Wants: []string{tip}})
		require.NoError(t, err)
		packSize, err = io.Copy(file, stream)
		require.NoError(t, err)
		require.NoError(t, stream.Close())
	}), uint64(allowed), "fetch")
	require.Greater(t, packSize, int64(size))

	_, err = file.Seek(0, io.SeekStart)
	require.NoError(t, err)
	require.Less(t, allocated(func() {
		require.NoError(t, to.Push(t.Context(), smarthttp.PushRequest{
			Repo: repo, Updates: []smarthttp.RefUpdate{{Ref: "refs/heads/main", New: tip}}, Pack: file, PackSize: packSize,
		}))
	}), uint64(allowed), "push")
	require.Equal(t, tip, git(t, destination, "rev-parse", "refs/heads/main"))
}

// allocated returns the bytes that do allocates, freed or not.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
