package predecessor_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/packfile"
	"github.com/app-sre/git-partition-sync/internal/predecessor"
)

// Each folder comes before what is in it, for those who unpack one member after the other. The same repository makes the same bytes.
func TestWrite(t *testing.T) {
	t.Parallel()
	dir := clone(t)
	commit, pack := git(t, dir, "rev-parse", "HEAD"), packOf(t, dir)
	index, err := packfile.NewIndex(bytes.NewReader(pack))
	require.NoError(t, err)
	modified := time.Unix(1_700_000_000, 0)
	written := func() []byte {
		var b bytes.Buffer
		require.NoError(t, predecessor.Write(&b, predecessor.Repository{Branch: "a/b", Commit: commit, Modified: modified, Pack: bytes.NewReader(pack), PackSize: int64(len(pack)), Index: index}))
		return b.Bytes()
	}
	archive := written()
	require.Equal(t, archive, written())
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	require.NoError(t, err)
	folders, files := map[string]bool{".": true}, map[string]string{}
	for members := tar.NewReader(unzipped); ; {
		h, err := members.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		require.True(t, h.ModTime.Equal(modified), h.Name)
		require.True(t, folders[path.Dir(strings.TrimSuffix(h.Name, "/"))], h.Name)
		if h.Typeflag == tar.TypeDir {
			require.EqualValues(t, 0o755, h.Mode, h.Name)
			folders[path.Clean(h.Name)] = true
			continue
		}
		require.EqualValues(t, 0o644, h.Mode, h.Name)
		content, err := io.ReadAll(members)
		require.NoError(t, err)
		files[h.Name] = string(content)
	}
	require.Len(t, files, 5)
	require.Equal(t, commit+"\n", files[".git/refs/heads/a/b"])
	require.Equal(t, "ref: refs/heads/a/b\n", files[".git/HEAD"])
	require.Equal(t, string(pack), files[".git/objects/pack/pack-"+index.Checksum()+".pack"])
	require.Len(t, files[".git/objects/pack/pack-"+index.Checksum()+".idx"], int(index.Size()))
}
