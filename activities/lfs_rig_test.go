package activities

import (
	"bytes"
	"io"
	"maps"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// newLFSSourceRig is a rig whose source has Git LFS.
func newLFSSourceRig(t *testing.T) *rig {
	t.Helper()
	r := newTrustedRig(t)
	r.source, r.producer.Source = r.git(sourceRepo, gitserver.WithLFS())
	r.producer.LFS = r.sourceLFS()
	r.producer.after = func(time.Duration) <-chan time.Time { return time.After(0) }
	return r
}

// sourceLFS is a client of the source's LFS server, that has not asked it anything yet.
func (r *rig) sourceLFS() *lfsapi.Client {
	r.Helper()
	u, err := url.Parse(r.source.URL())
	require.NoError(r, err)
	return lfsapi.New(lfsapi.Options{Forge: gitlab.At(u), Username: "bot", Password: "token-" + sourceRepo})
}

// large gives the source an LFS object with this content.
func (r *rig) large(content string) lfs.Object {
	r.Helper()
	o, err := r.source.LFS().Add(sourceRepo, []byte(content))
	require.NoError(r, err)
	return o
}

// lacking is an object that the source does not have.
func (r *rig) lacking(content string) lfs.Object {
	r.Helper()
	o := r.large(content)
	require.NoError(r, os.Remove(r.source.LFS().Path(sourceRepo, o.OID)))
	return o
}

// commitLFS commits pointers to objects, each in a file of its own, beside other files.
func (r *rig) commitLFS(branch string, files map[string]string, objects ...lfs.Object) string {
	r.Helper()
	all := map[string]string{}
	maps.Copy(all, files)
	for _, o := range objects {
		all["large/"+o.OID] = gitserver.Pointer(o)
	}
	sha, err := r.source.Commit(r.Context(), sourceRepo, branch, all, "large files")
	require.NoError(r, err)
	return sha
}

// heldLFS are the contents of the LFS objects that the bucket has of the sync's project, by OID.
func (r *rig) heldLFS() map[string]string {
	r.Helper()
	folder, err := lfs.Folder(r.sync.Destination)
	require.NoError(r, err)
	held := map[string]string{}
	for stored, err := range r.producer.Bucket.List(r.Context(), folder) {
		require.NoError(r, err)
		_, oid, n, err := lfs.ParseKey(stored.Key)
		require.NoError(r, err)
		require.Equal(r, 1, n, "no object of these tests has more than a segment")
		plaintext, err := crypt.Decrypt(bytes.NewReader(r.content(stored.Key)), r.consumer.Identities)
		require.NoError(r, err)
		content, err := io.ReadAll(plaintext)
		require.NoError(r, err)
		held[oid] = string(content)
	}
	return held
}

// lfsKey is that of an object's first segment.
func (r *rig) lfsKey(o lfs.Object) string {
	r.Helper()
	key, err := lfs.Key(r.sync.Destination, o.OID, 1)
	require.NoError(r, err)
	return key
}

// listOf is the signed list of an object of the bucket.
func (r *rig) listOf(key string) lfs.List {
	r.Helper()
	plaintext, err := crypt.Decrypt(bytes.NewReader(r.content(key)), r.consumer.Identities)
	require.NoError(r, err)
	opened, err := archive.NewReader(plaintext)
	require.NoError(r, err)
	list, err := opened.LFS()
	require.NoError(r, err)
	return list
}
