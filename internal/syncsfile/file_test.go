package syncsfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/syncsfile"
)

const oneSync = `syncs:
  - source: {group: platform, name: router, branch: main}
    destination: {group: mirror/platform}
`

func write(t testing.TB, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// read lists the syncs of a file with the text.
func read(t testing.TB, text string) ([]project.Sync, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "syncs.yaml")
	write(t, path, text)
	syncs, err := syncsfile.At(path).Syncs(t.Context())
	if err != nil {
		require.ErrorContains(t, err, path, "the error names the file")
	}
	return syncs, err
}

// The file is read anew each time, also where a symbolic link leads, as in a mounted ConfigMap.
func TestFileIsReadAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, next := filepath.Join(dir, "..old"), filepath.Join(dir, "..next")
	for _, folder := range []string{old, next} {
		require.NoError(t, os.Mkdir(folder, 0o700))
	}
	write(t, filepath.Join(old, "syncs.yaml"), oneSync)
	write(t, filepath.Join(next, "syncs.yaml"), "syncs: []\n")
	require.NoError(t, os.Symlink("..old", filepath.Join(dir, "..data")))
	require.NoError(t, os.Symlink("..data/syncs.yaml", filepath.Join(dir, "syncs.yaml")))
	file := syncsfile.At(filepath.Join(dir, "syncs.yaml"))
	syncs, err := file.Syncs(t.Context())
	require.NoError(t, err)
	require.Len(t, syncs, 1)

	require.NoError(t, os.Symlink("..next", filepath.Join(dir, "..data_tmp")))
	require.NoError(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	syncs, err = file.Syncs(t.Context())
	require.NoError(t, err)
	require.Empty(t, syncs)

	require.NoError(t, os.Remove(filepath.Join(next, "syncs.yaml")))
	_, err = file.Syncs(t.Context())
	require.ErrorIs(t, err, syncsfile.ErrUnreadable)
	require.ErrorContains(t, err, "no such file")
}

// Whoever replaces the file at any moment is answered the old list or the new one, never a part.
func TestFileIsReplacedWhileItIsRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "syncs.yaml")
	lists := map[int]string{1000: "syncs:\n" + strings.Repeat(oneSync[len("syncs:\n"):], 1000), 0: "syncs: []\n"}
	write(t, path, lists[0])
	var replacing sync.WaitGroup
	defer replacing.Wait()
	done := make(chan struct{})
	defer close(done)
	replacing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			text := lists[i%2*1000]
			if os.WriteFile(path+".next", []byte(text), 0o600) != nil || os.Rename(path+".next", path) != nil {
				return // the test has failed, and its folder is gone
			}
		}
	})
	for range 50 {
		syncs, err := syncsfile.At(path).Syncs(t.Context())
		require.NoError(t, err)
		require.Contains(t, lists, len(syncs))
	}
}

// What is no file is refused at once: nobody may ever write to a pipe, and a device may never end.
func TestWhatIsNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	large := filepath.Join(dir, "large")
	write(t, large, "")
	require.NoError(t, os.Truncate(large, 16<<20+1))
	loop := filepath.Join(dir, "loop")
	require.NoError(t, os.Symlink(loop, loop))
	for path, want := range map[string]string{
		dir:                         "is not a file: it is a folder",
		pipe:                        "is not a file: it is a pipe",
		"/dev/zero":                 "is not a file: it is a device",
		filepath.Join(dir, "gone"):  "no such file",
		filepath.Join(pipe, "file"): "not a directory",
		loop:                        "too many levels",
		large:                       "has 16777217 bytes, more than 16777216",
		"/proc/self/status":         "was changed while it was read: replace it as a whole", // has more bytes than it says
		"":                          "no such file",
	} {
		began := time.Now()
		_, err := syncsfile.At(path).Syncs(t.Context())
		require.ErrorIs(t, err, syncsfile.ErrUnreadable)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, path)
		require.Less(t, time.Since(began), 10*time.Second)
	}
}
