package staging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// age makes a run's folder look as if nobody had touched it for a while, and the worker's lock, which nobody ever does.
func age(t *testing.T, r Run) {
	t.Helper()
	then := time.Now().Add(-2 * minIdleTime)
	require.NoError(t, os.Chtimes(folderOf(r), then, then))
	require.NoError(t, os.Chtimes(filepath.Join(r.area.workdir, r.area.id, lockName), then, then))
}

func TestTendRemovesWhatRunsHaveLeft(t *testing.T) {
	t.Parallel()
	area := open(t, t.TempDir())
	runs := map[string]Run{}
	for _, id := range []string{"alive", "over", "fresh"} {
		run, err := area.Run(id)
		require.NoError(t, err)
		write(t, run, "pack", id)
		runs[id] = run
		if id != "fresh" {
			age(t, run)
		}
	}
	unreachable := errors.New("not connected")
	require.ErrorIs(t, area.Maintain(t.Context(), func(context.Context, map[string]time.Time) ([]string, error) {
		return []string{"over"}, unreachable
	}), unreachable)
	_, err := runs["over"].Open("pack")
	require.NoError(t, err, "nobody has said that the run is over")

	require.NoError(t, area.Maintain(t.Context(), func(_ context.Context, asked map[string]time.Time) ([]string, error) {
		require.Len(t, asked, 2)
		require.Contains(t, asked, "alive")
		require.WithinDuration(t, time.Now().Add(-2*minIdleTime), asked["over"], time.Minute)
		return []string{"over"}, nil
	}))
	_, err = runs["over"].Open("pack")
	require.ErrorIs(t, err, ErrMissing)
	for _, id := range []string{"alive", "fresh"} {
		_, err := runs[id].Open("pack")
		require.NoError(t, err, id)
	}
}

// TestDeletedFolder deletes the work directory, or a part of it, under a running worker.
func TestDeletedFolder(t *testing.T) {
	t.Parallel()
	noneOver := func(context.Context, map[string]time.Time) ([]string, error) { return nil, nil }
	for name, remove := range map[string]func(a *Area) string{
		"the work directory":  func(a *Area) string { return a.workdir },
		"the worker's folder": func(a *Area) string { return filepath.Join(a.workdir, a.id) },
		"its lock":            func(a *Area) string { return filepath.Join(a.workdir, a.id, lockName) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			area := open(t, filepath.Join(t.TempDir(), "work"))
			id := area.ID()
			run, err := area.Run("run-1")
			require.NoError(t, err)
			write(t, run, "pack", "x")
			half := errors.New("half")
			require.ErrorIs(t, run.Create("other", func(*os.File) error {
				require.NoError(t, os.RemoveAll(remove(area)))
				return half
			}), half)

			require.NoError(t, area.Maintain(t.Context(), noneOver))
			require.Equal(t, id, area.ID(), "the task queue has that name")
			open(t, area.workdir)
			require.DirExists(t, filepath.Join(area.workdir, id), "another worker sees that we live")

			require.NoError(t, os.RemoveAll(remove(area)))
			write(t, run, "next", "y")
			f, err := run.Open("next")
			require.NoError(t, err)
			defer f.Close()
			content, err := io.ReadAll(f)
			require.NoError(t, err)
			require.Equal(t, "y", string(content))
			require.NoError(t, area.RequireFree(1))
		})
	}
}

// What was being written when the folder was deleted is missing, and the run starts over.
func TestDeletedWhileWriting(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	area, err := Open(t.Context(), filepath.Join(t.TempDir(), "work"), slog.New(slog.NewTextHandler(&out, nil)))
	require.NoError(t, err)
	defer area.Close()
	run, err := area.Run("run-1")
	require.NoError(t, err)
	require.ErrorIs(t, run.Create("pack", func(*os.File) error { return os.RemoveAll(area.workdir) }), ErrMissing)
	write(t, run, "pack", "x")
	require.Equal(t, 1, strings.Count(out.String(), "the runs that had files there start over"))
}

// Nobody can put a folder of theirs in the place of ours.
func TestFolderThatWasReplaced(t *testing.T) {
	t.Parallel()
	area := open(t, filepath.Join(t.TempDir(), "work"))
	folder := filepath.Join(area.workdir, area.id)
	require.NoError(t, os.RemoveAll(folder))
	require.NoError(t, os.Mkdir(folder, 0o700))
	require.NoError(t, os.Chmod(folder, 0o777))
	run, err := area.Run("run-1")
	require.NoError(t, err)
	nothing := func(*os.File) error { return nil }
	require.ErrorContains(t, run.Create("pack", nothing), "was put there by user")
	require.NoError(t, os.Chmod(folder, 0o700))
	if os.Geteuid() == 0 { // only root can give a folder away
		require.NoError(t, os.Chown(folder, 12345, 0))
		require.ErrorContains(t, run.Create("pack", nothing), "was put there by user 12345")
	}
}

// A file in place of the lock is not the lock: the next worker would take the folder for a dead one's.
func TestLockThatWasReplaced(t *testing.T) {
	t.Parallel()
	area := open(t, filepath.Join(t.TempDir(), "work"))
	folder := filepath.Join(area.workdir, area.id)
	lock := filepath.Join(folder, lockName)
	require.NoError(t, os.Remove(lock))
	require.NoError(t, os.WriteFile(lock, nil, 0o600))
	require.NoError(t, area.Maintain(t.Context(), nil))
	open(t, area.workdir)
	require.DirExists(t, folder)
}

// Temporal is not asked about any number of runs at a time.
func TestTendAsksInParts(t *testing.T) {
	t.Parallel()
	area := open(t, t.TempDir())
	for i := range maxRunsAsked + 1 {
		run, err := area.Run(fmt.Sprint("run-", i))
		require.NoError(t, err)
		write(t, run, "pack", "x")
		age(t, run)
	}
	for _, want := range []int{maxRunsAsked, 1} {
		require.NoError(t, area.Maintain(t.Context(), func(_ context.Context, runs map[string]time.Time) (over []string, err error) {
			require.Len(t, runs, want)
			for run := range runs {
				over = append(over, run)
			}
			return over, nil
		}))
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, full := range []error{unix.ENOSPC, unix.EDQUOT} {
		require.ErrorIs(t, asDiskError(&fs.PathError{Op: "write", Path: "pack", Err: full}), ErrDiskFull)
	}
	require.NotErrorIs(t, asDiskError(unix.EACCES), ErrDiskFull)
}
