package staging

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A file whose end the disk may not have taken is none.
func TestFileThatCannotBeClosed(t *testing.T) {
	run, err := open(t, t.TempDir()).Run("run-1")
	require.NoError(t, err)
	require.ErrorIs(t, run.Create("pack", (*os.File).Close), os.ErrClosed)
	require.Empty(t, names(t, folderOf(run)))
}

func TestFailedFileIsClosed(t *testing.T) {
	run, err := open(t, t.TempDir()).Run("run-1")
	require.NoError(t, err)
	var file *os.File
	require.Error(t, run.Create("pack", func(f *os.File) error {
		file = f
		return os.ErrInvalid
	}))
	_, err = file.Stat()
	require.ErrorIs(t, err, os.ErrClosed, "what was written takes room until then")
}

// What the system says of a volume is told apart, whichever file it says it of.
func TestVolumesThatTakeNothing(t *testing.T) {
	for system, want := range map[error]error{unix.ENOSPC: ErrDiskFull, unix.EDQUOT: ErrDiskFull, unix.EROFS: ErrDiskFailed, unix.EIO: ErrDiskFailed} {
		run, err := open(t, t.TempDir()).Run("run-1")
		require.NoError(t, err)
		failing := func(*os.File) error { return &os.PathError{Op: "write", Path: "pack", Err: system} }
		for _, err := range []error{run.Create("pack", failing), run.Resume("object", failing)} {
			require.ErrorIs(t, err, want)
			require.ErrorIs(t, err, system)
		}
	}
}

// What a try has written is there for the next, and nobody else can read it.
func TestResume(t *testing.T) {
	run, err := open(t, t.TempDir()).Run("run-1")
	require.NoError(t, err)
	add := func(text string, failure error) error {
		return run.Resume("object", func(f *os.File) error {
			info, err := f.Stat()
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode())
			_, err = f.WriteAt([]byte(text), info.Size())
			require.NoError(t, err)
			return failure
		})
	}
	require.ErrorIs(t, add("begun, ", os.ErrInvalid), os.ErrInvalid)
	require.NoError(t, add("ended", nil))
	content, err := os.ReadFile(filepath.Join(folderOf(run), "object"))
	require.NoError(t, err)
	require.Equal(t, "begun, ended", string(content))
	require.ErrorIs(t, add("", unix.ENOSPC), ErrDiskFull)
	var file *os.File
	require.NoError(t, run.Resume("object", func(f *os.File) error { file = f; return nil }))
	_, err = file.Stat()
	require.ErrorIs(t, err, os.ErrClosed)
	require.NoError(t, run.Discard("object"))
	require.Empty(t, names(t, folderOf(run)))
}

func TestDiscard(t *testing.T) {
	run, err := open(t, t.TempDir()).Run("run-1")
	require.NoError(t, err)
	for _, name := range []string{"a", "b", "c"} {
		write(t, run, name, name)
	}
	require.NoError(t, run.Discard("a", "never there", "b"))
	require.Equal(t, []string{"c"}, names(t, folderOf(run)))

	require.NoError(t, os.MkdirAll(filepath.Join(folderOf(run), "d", "in it"), 0o700))
	require.Error(t, run.Discard("d", "c"))
	require.Equal(t, []string{"c", "d"}, names(t, folderOf(run)))
}

// A work directory that is no directory any more, as when a volume is gone, is an error of whatever is done there.
func TestWorkDirectoryThatIsGone(t *testing.T) {
	workdir := filepath.Join(t.TempDir(), "work")
	area := open(t, workdir)
	run, err := area.Run("run-1")
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(workdir))
	require.NoError(t, os.WriteFile(workdir, nil, 0o600))
	for name, do := range map[string]func() error{
		"create":  func() error { return run.Create("pack", func(*os.File) error { return nil }) },
		"resume":  func() error { return run.Resume("object", func(*os.File) error { return nil }) },
		"open":    func() error { _, err := run.Open("pack"); return err },
		"discard": func() error { return run.Discard("pack") },
		"remove":  run.Remove,
		"require": func() error { return area.RequireFree(0) },
		"tend":    func() error { return area.Maintain(t.Context(), nil) },
	} {
		require.ErrorContains(t, do(), "make the worker's folder again, which was deleted", name)
	}
}

func TestRequireTellsFreeSpace(t *testing.T) {
	area := open(t, t.TempDir())
	require.NoError(t, area.RequireFree(1<<20), "no disk is that small")
	require.NoError(t, area.RequireFree(-1), "a size that is not known")
	open := func() int { return len(names(t, "/proc/self/fd")) }
	before := open()
	for range 20 {
		require.NoError(t, area.RequireFree(1))
	}
	require.LessOrEqual(t, open(), before+1, "it leaves nothing open")
}

// Who comes second leaves what the first has made, and nothing of its own.
func TestCreateOnce(t *testing.T) {
	run, err := open(t, t.TempDir()).Run("run-1")
	require.NoError(t, err)
	create := func(content string) error {
		return run.CreateOnce("head", func(f *os.File) error {
			_, err := f.WriteString(content)
			return err
		})
	}
	require.NoError(t, create("first"))
	require.ErrorIs(t, create("second"), ErrExists)
	require.Equal(t, []string{"head"}, names(t, folderOf(run)))
	content, err := os.ReadFile(filepath.Join(folderOf(run), "head"))
	require.NoError(t, err)
	require.Equal(t, "first", string(content))
}
