package activities

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// stagedNames are the files of all runs of the test's workers.
func (r *rig) stagedNames() (names []string) {
	r.Helper()
	err := filepath.WalkDir(filepath.Dir(r.TempDir()), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.Contains(path, "/worker-") && entry.Name() != "lock" {
			names = append(names, entry.Name())
		}
		return nil
	})
	require.NoError(r, err)
	return names
}

// Wherever an attempt is killed, the next one ends what it has begun: it sends nothing that is there, and leaves no file behind.
func TestLFSUploadIsKilled(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	want := map[string]string{}
	var objects []lfs.Object
	for _, content := range []string{"one", "two", "three"} {
		o := r.large(content)
		objects, want[o.OID] = append(objects, o), content
	}
	r.commitLFS("main", nil, objects...)
	p := r.nextLFS()

	var kill context.CancelFunc
	var left atomic.Int64 // requests to the store
	var mu sync.Mutex
	var put []string
	r.lag.before = func(req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if req.Method == http.MethodPut {
			put = append(put, req.URL.Path)
		}
		if left.Add(-1) == 0 {
			kill()
		}
	}
	killed := 0
	for after := int64(1); ; after++ {
		for key := range r.heldKeys() {
			require.NoError(t, r.producer.Bucket.Delete(t.Context(), key))
		}
		ctx, cancel := context.WithCancel(t.Context())
		kill = cancel
		left.Store(after)
		_, err := r.producer.UploadLFS(ctx, p.Work)
		over := left.Load() > 0
		left.Store(0)
		cancel()
		if err != nil {
			killed++
		}
		there := r.heldKeys()
		mu.Lock()
		put = nil
		mu.Unlock()
		sent := must(r, r.sendLFS, p).SentLFS
		require.Equal(t, want, r.heldLFS())
		require.GreaterOrEqual(t, sent.There, len(there), "a request that was under way may have come through")
		for _, path := range put {
			require.NotContains(t, there, strings.TrimPrefix(path, "/"+r.s3.Name+"/"), "sent twice")
		}
		require.NotContains(t, strings.Join(r.stagedNames(), " "), "lfs-")
		if over {
			break
		}
	}
	require.GreaterOrEqual(t, killed, 9)
	require.ElementsMatch(t, []string{bundleFile, fetchedFile, lfsFile}, r.stagedNames())
	require.NoError(t, r.producer.Cleanup(t.Context(), p.Staged))
	require.Empty(t, r.stagedNames())
}

// heldKeys are those of the LFS objects in the bucket.
func (r *rig) heldKeys() map[string]bool {
	r.Helper()
	keys := map[string]bool{}
	for stored, err := range r.producer.Bucket.List(r.Context(), lfs.Root) {
		require.NoError(r, err)
		keys[stored.Key] = true
	}
	return keys
}

// A download that broke off goes on where it did, in the next attempt of the run.
func TestLFSDownloadIsResumed(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	content := strings.Repeat("0123456789", 100_000)
	o := r.large(content)
	r.commitLFS("main", nil, o)
	p := r.nextLFS()
	r.source.LFS().Switch(func(s *gitserver.LFSSwitches) { s.BreakAfter = 600_000 })
	_, err := execute(r, r.sendLFS, p)
	require.ErrorContains(t, err, "broke off")
	require.Contains(t, r.stagedNames(), "lfs-"+o.OID)
	require.Equal(t, 1, must(r, r.sendLFS, p).SentLFS.Sent, "what is left is less than that")
	require.Equal(t, content, r.heldLFS()[o.OID])
}

// Workers that send one object at the same time do not end each other's uploads.
func TestLFSObjectOfTwoWorkers(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	content := bytes.Repeat([]byte("large enough for several parts"), 2<<20)
	o := r.large(string(content))
	r.commitLFS("main", nil, o)
	p := r.nextLFS()
	second := &Producer{Common: r.producer.Common, Source: r.producer.Source, LFS: r.producer.LFS, Recipients: r.producer.Recipients, Signer: r.producer.Signer}
	second.Staging = r.area()
	run, err := second.Staging.Run(p.Staged.Run)
	require.NoError(t, err)
	require.NoError(t, stageText(run, lfsFile, lfs.NewList([]lfs.Object{o}).Encode()))

	var began sync.WaitGroup // both have looked, and found nothing
	began.Add(2)
	var looks atomic.Int64
	var completed, cleared atomic.Bool // cleared: what the other has begun was looked for before one of them was through
	r.lag.before = func(req *http.Request) {
		query := req.URL.Query()
		switch {
		case req.Method == http.MethodPost && query.Has("uploads") && looks.Add(1) <= 2:
			began.Done()
			began.Wait()
		case req.Method == http.MethodPost && query.Has("uploadId"):
			completed.Store(true)
		case req.Method == http.MethodGet && query.Has("uploads") && !completed.Load():
			cleared.Store(true)
		}
	}
	failed := make(chan error)
	for _, producer := range []*Producer{r.producer, second} {
		go func() {
			_, err := producer.UploadLFS(t.Context(), p.Work)
			failed <- err
		}()
	}
	require.NoError(t, <-failed)
	require.NoError(t, <-failed)
	require.EqualValues(t, 2, looks.Load(), "both began")
	require.False(t, cleared.Load(), "neither takes the other's upload for a leftover")
	require.Equal(t, string(content), r.heldLFS()[o.OID])
}

// An object of several segments goes on with the first that is not there, from what is on the disk.
func TestLFSSegmentsAreResumed(t *testing.T) {
	if testing.Short() {
		t.Skip("it moves half a gigabyte")
	}
	r := newLFSSourceRig(t)
	o := r.sparse(lfs.SegmentSize + 1<<20)
	r.commitLFS("main", nil, o)
	p := r.nextLFS()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	second := strings.TrimSuffix(r.lfsKey(o), "1.age") + "2.age"
	r.lag.before = func(req *http.Request) {
		if strings.HasSuffix(req.URL.Path, second) {
			cancel()
		}
	}
	_, err := r.producer.UploadLFS(ctx, p.Work)
	require.Error(t, err)
	require.Equal(t, []string{r.lfsKey(o)}, slices.Collect(maps.Keys(r.heldKeys())))
	r.lag.before = func(req *http.Request) {
		require.False(t, req.Method != http.MethodHead && strings.HasSuffix(req.URL.Path, r.lfsKey(o)), "the first segment is not sent again")
	}
	require.Equal(t, 1, must(r, r.sendLFS, p).SentLFS.Sent)
	require.Len(t, r.heldKeys(), 2)
	require.Equal(t, 1, r.source.LFS().Counts().Downloads)
	require.NotContains(t, strings.Join(r.stagedNames(), " "), "lfs-")
}

// sparse gives the source an LFS object of so many zeros.
func (r *rig) sparse(size int64) lfs.Object {
	r.Helper()
	hash := sha256.New()
	_, err := io.CopyN(hash, zeros{}, size)
	require.NoError(r, err)
	o := lfs.Object{OID: hex.EncodeToString(hash.Sum(nil)), Size: size}
	path := r.source.LFS().Path(sourceRepo, o.OID)
	require.NoError(r, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(r, os.WriteFile(path, nil, 0o600))
	require.NoError(r, os.Truncate(path, size))
	return o
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
