package staging

import (
	"errors"
	"io"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var quiet = slog.New(slog.DiscardHandler)

func open(t *testing.T, workdir string) *Area {
	t.Helper()
	area, err := Open(t.Context(), workdir, quiet)
	require.NoError(t, err)
	t.Cleanup(func() { area.Close() })
	return area
}

func folderOf(r Run) string { return filepath.Join(r.area.workdir, r.area.id, r.id) }

func write(t *testing.T, r Run, name, content string) {
	t.Helper()
	require.NoError(t, r.Create(name, func(f *os.File) error {
		_, err := f.WriteString(content)
		return err
	}))
}

func TestFiles(t *testing.T) {
	area := open(t, filepath.Join(t.TempDir(), "made", "on", "demand"))
	run, err := area.Run("run-1")
	require.NoError(t, err)
	_, err = run.Open("pack")
	require.ErrorIs(t, err, ErrMissing)
	require.EqualError(t, err, "staged file is missing: pack")

	write(t, run, "pack", "old")
	write(t, run, "pack", "new")
	f, err := run.Open("pack")
	require.NoError(t, err)
	defer f.Close()
	content, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Equal(t, "new", string(content))

	require.NoError(t, run.Discard("pack", "never there"))
	_, err = run.Open("pack")
	require.ErrorIs(t, err, ErrMissing)
	require.NoError(t, run.Remove())
	require.NoError(t, run.Remove())
	require.NoDirExists(t, folderOf(run))
}

// What is half written never looks like a file.
func TestCreateFails(t *testing.T) {
	area := open(t, t.TempDir())
	run, err := area.Run("run-1")
	require.NoError(t, err)
	broken := errors.New("broken")
	require.ErrorIs(t, run.Create("pack", func(f *os.File) error {
		f.WriteString("half")
		return broken
	}), broken)
	entries, err := os.ReadDir(folderOf(run))
	require.NoError(t, err)
	require.Empty(t, entries)
	require.ErrorIs(t, run.Create("pack", func(*os.File) error { return unix.ENOSPC }), ErrDiskFull)
}

func TestRunRefusesPaths(t *testing.T) {
	area := open(t, t.TempDir())
	for _, id := range []string{"", ".", "..", "a/b", "../a", "/a", ".hidden", lockName} {
		_, err := area.Run(id)
		require.Error(t, err, "%q", id)
	}
}

func TestRequire(t *testing.T) {
	area := open(t, t.TempDir())
	require.NoError(t, area.RequireFree(0))
	require.NoError(t, area.RequireFree(1))
	err := area.RequireFree(math.MaxInt64)
	require.ErrorIs(t, err, ErrDiskFull)
	require.ErrorContains(t, err, "9.2 EB needed")
}

func TestCloseRemovesAll(t *testing.T) {
	workdir := t.TempDir()
	area := open(t, workdir)
	run, err := area.Run("run-1")
	require.NoError(t, err)
	write(t, run, "pack", "x")
	area.Note([]byte("over"))()
	require.True(t, area.HasRuns())
	require.NoError(t, run.Remove())
	require.False(t, area.HasRuns())
	require.NoError(t, area.Close())
	require.Equal(t, []string{lockName}, names(t, workdir))
}

// Of a worker that ends before its runs do the next one hears, and nothing takes room meanwhile.
func TestCloseTellsOfWhatHasNotEnded(t *testing.T) {
	for name, test := range map[string]struct {
		files bool
		notes [][]byte
	}{
		"a run between two steps":       {files: true},
		"a step that was cut off":       {notes: [][]byte{[]byte("at work")}},
		"a step with files was cut off": {files: true, notes: [][]byte{[]byte("at work")}},
	} {
		t.Run(name, func(t *testing.T) {
			workdir := t.TempDir()
			area := open(t, workdir)
			if test.files {
				run, err := area.Run("run-1")
				require.NoError(t, err)
				write(t, run, "pack", "x")
			}
			for _, note := range test.notes {
				area.Note(note)
			}
			require.NoError(t, area.Close())
			require.NoDirExists(t, filepath.Join(workdir, area.ID(), "run-1"))

			next := open(t, workdir)
			require.Equal(t, Dead{area.ID(), test.notes}, <-next.Dead())
			require.NoDirExists(t, filepath.Join(workdir, area.ID()))
		})
	}
}

// TestOpenRemovesLeftovers kills another process that holds an area, and opens one beside it
// before and after.
func TestOpenRemovesLeftovers(t *testing.T) {
	workdir := t.TempDir()
	kill := hold(t, workdir)
	beside := open(t, workdir)
	require.Len(t, names(t, workdir), 3, "a living worker's folder is left alone")
	kill()
	next := open(t, workdir)
	require.Len(t, names(t, workdir), 3, "the killed worker's folder is gone, ours are here")
	require.Empty(t, beside.Dead(), "one alone hears of it")
	requireHeld(t, next)
}

// A worker that is not started again is found by those beside it.
func TestMaintainRemovesLeftovers(t *testing.T) {
	workdir := t.TempDir()
	kill := hold(t, workdir)
	beside := open(t, workdir)
	require.NoError(t, beside.Maintain(t.Context(), nil))
	require.Len(t, names(t, workdir), 3, "a living worker's folder is left alone")
	require.Empty(t, beside.Dead())
	kill()
	require.NoError(t, beside.Maintain(t.Context(), nil))
	require.Len(t, names(t, workdir), 2)
	requireHeld(t, beside)
}

// requireHeld sees to it that an area knows of the process of TestHoldArea, and what that had noted when it was killed.
func requireHeld(t *testing.T, a *Area) {
	t.Helper()
	require.Len(t, a.Dead(), 1)
	dead := <-a.Dead()
	require.Regexp(t, "^"+workerPrefix, dead.ID)
	require.Equal(t, [][]byte{[]byte("at work")}, dead.Notes)
}

// hold starts a process that holds an area until it is killed.
func hold(t *testing.T, workdir string) (kill func()) {
	t.Helper()
	other := exec.Command(os.Args[0], "-test.run=TestHoldArea")
	other.Env = append(os.Environ(), "HOLD_AREA="+workdir)
	stdout, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	ready := make([]byte, 6)
	_, err = io.ReadFull(stdout, ready)
	require.NoError(t, err)
	return func() {
		require.NoError(t, other.Process.Kill())
		require.Error(t, other.Wait())
	}
}

// TestHoldArea is the process of hold.
func TestHoldArea(t *testing.T) {
	workdir := os.Getenv("HOLD_AREA")
	if workdir == "" {
		return
	}
	area, err := Open(t.Context(), workdir, quiet)
	require.NoError(t, err)
	run, err := area.Run("run-1")
	require.NoError(t, err)
	write(t, run, "pack", "x")
	area.Note([]byte("at work"))
	area.Note([]byte("over"))()
	os.Stdout.WriteString("ready\n")
	select {}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
