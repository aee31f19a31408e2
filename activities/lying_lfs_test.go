package activities

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// GitLab repeats the size of a pointer, whatever it is: neither the disk nor LFS_MAX_PROJECT_SIZE is asked for as much
// before the object itself has told.
func TestPointersWithLyingSizes(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	r.source.LFS().Switch(func(s *gitserver.LFSSwitches) { s.EchoSizes = true })
	has := r.large("has")
	needed := []lfs.Object{has}
	for _, size := range []int64{0, 1, 4, 1 << 49, lfs.MaxSize} {
		needed = append(needed, lfs.Object{OID: has.OID, Size: size})
	}
	files := map[string]string{}
	for _, o := range needed {
		files["large/"+strconv.FormatInt(o.Size, 10)] = gitserver.Pointer(o)
	}
	_, err := r.source.Commit(t.Context(), sourceRepo, "main", files, "lies")
	require.NoError(t, err)
	p := r.nextLFS()
	r.producer.MaxLFSProjectSize = 2
	require.Contains(t, fails(r, "LFSTooMuch", r.sendLFS, p), "mirror/platform/router has 0 B there, and 3 more have 4 B, of 2 B")
	require.Empty(t, r.heldLFS())
	r.producer.MaxLFSProjectSize = 1000
	sent := must(r, r.sendLFS, p).SentLFS
	require.Equal(t, []int{1, 5}, []int{sent.Sent, sent.Missing})
	require.Equal(t, map[string]string{has.OID: "has"}, r.heldLFS())
}
