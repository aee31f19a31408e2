package staging

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTrust(t *testing.T) {
	t.Parallel()
	const user, group = 1000, 1000
	for _, tt := range []struct {
		name         string
		owner, group int
		mode         fs.FileMode
		want         string
	}{
		{"our own", user, group, 0o700, ""},
		{"our own, read by others", user, 7, 0o755, ""},
		{"with umask 002", user, group, 0o775, ""},
		{"a foreign group writes", user, 7, 0o775, "group 7 can write to it"},
		{"everybody writes", user, group, 0o777, "every user can write to it"},
		{"everybody adds", user, group, 0o777 | fs.ModeSticky, ""},
		{"a foreign group adds", user, 7, 0o775 | fs.ModeSticky, ""},
		{"another user's", 1001, group, 0o700, "it belongs to user 1001, and the worker is user 1000"},
		{"another user's, open to all", 1001, group, 0o777, "it belongs to user 1001"},
		{"emptyDir", 0, 0, 0o777, ""},
		{"emptyDir or volume with fsGroup", 0, 1000680000, 0o775 | fs.ModeSetgid, ""},
		{"the system's temporary folder", 0, 0, 0o777 | fs.ModeSticky, ""},
	} {
		err := checkPermissions(tt.owner, tt.group, tt.mode, user, group)
		if tt.want == "" {
			require.NoError(t, err, tt.name)
			continue
		}
		require.ErrorContains(t, err, tt.want, tt.name)
		require.ErrorContains(t, err, "set WORKDIR to a folder of the worker's own", tt.name)
	}
	require.ErrorContains(t, checkPermissions(0, 0, 0o777, 0, 0), "every user can write to it", "nor does root trust what everybody writes")
}

func TestOpenRefusesWhatOthersCanChange(t *testing.T) {
	t.Parallel()
	workdir := t.TempDir()
	require.NoError(t, os.Chmod(workdir, 0o777))
	_, err := Open(t.Context(), workdir, quiet)
	require.ErrorContains(t, err, "every user can write to it")
	require.Empty(t, names(t, workdir), "nothing was put there")
}

func TestOpenRefusesWhatIsAnotherUsers(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	workdir := t.TempDir()
	require.NoError(t, os.Chown(workdir, 12345, 0))
	_, err := Open(t.Context(), workdir, quiet)
	require.ErrorContains(t, err, "it belongs to user 12345, and the worker is user 0")
	require.Empty(t, names(t, workdir), "nothing was put there")
}

// No symbolic link leads to another's files: neither in the work directory's place, nor in those of locks and folders.
func TestSymbolicLinksAreNotFollowed(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	kept := filepath.Join(outside, "kept")
	require.NoError(t, os.WriteFile(kept, nil, 0o600))

	link := filepath.Join(t.TempDir(), "work")
	require.NoError(t, os.Symlink(outside, link))
	_, err := Open(t.Context(), link, quiet)
	require.ErrorContains(t, err, "is a symbolic link")

	workdir := t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(workdir, workerPrefix+"link")))
	area := open(t, workdir)
	run, err := area.Run("run-1")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(outside, folderOf(run)))
	require.Error(t, run.Create("file", func(*os.File) error { return nil }))
	_, err = run.Open("kept")
	require.Error(t, err)
	require.Error(t, run.Discard("kept"))
	require.NoError(t, run.Remove())
	require.NoError(t, area.Close())

	require.NoError(t, os.Remove(filepath.Join(workdir, lockName)))
	require.NoError(t, os.Symlink(kept, filepath.Join(workdir, lockName)))
	_, err = Open(t.Context(), workdir, quiet)
	require.Error(t, err)
	require.Equal(t, []string{"kept"}, names(t, outside))
}

// Workers of several users may have nothing in common but a group.
func TestGroupMayLock(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	workdir := t.TempDir()
	area := open(t, workdir)
	for path, want := range map[string]fs.FileMode{
		filepath.Join(workdir, lockName): 0o660,
		filepath.Join(workdir, area.id):  fs.ModeDir | 0o700,
	} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode(), path)
	}
}

// A start that waits says once what for, and ends when it is told to.
func TestOpenSaysThatItWaits(t *testing.T) {
	t.Parallel()
	workdir := t.TempDir()
	root, err := os.OpenRoot(workdir)
	require.NoError(t, err)
	defer root.Close()
	other, err := tryLock(root)
	require.NoError(t, err)
	defer other.Close()

	ctx, cancel := context.WithTimeoutCause(t.Context(), 5*lockRetryInterval, errors.New("told to stop"))
	defer cancel()
	var out bytes.Buffer
	_, err = Open(ctx, workdir, slog.New(slog.NewTextHandler(&out, nil)))
	require.ErrorContains(t, err, "gave up waiting: told to stop")
	require.Equal(t, 1, strings.Count(out.String(), "Waiting for another worker"))
	require.Contains(t, out.String(), workdir)

	other.Close()
	open(t, workdir)
}

// A folder whose lock is gone belongs to a worker that will make another, until it is old.
func TestFolderWithoutLock(t *testing.T) {
	t.Parallel()
	workdir := t.TempDir()
	folder := filepath.Join(workdir, workerPrefix+"unlocked")
	require.NoError(t, os.Mkdir(folder, 0o700))
	open(t, workdir)
	require.DirExists(t, folder)
	old := time.Now().Add(-2 * abandonedAge)
	require.NoError(t, os.Chtimes(folder, old, old))
	open(t, workdir)
	require.NoDirExists(t, folder)
}

// The folder of another user's worker is left alone, however old it is, and those of our own dead workers are removed all the same.
func TestFolderOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	workdir := t.TempDir()
	old := time.Now().Add(-2 * abandonedAge)
	for name, user := range map[string]int{"a": 0, "b": 12345, "c": 0} {
		folder := filepath.Join(workdir, workerPrefix+name)
		require.NoError(t, os.Mkdir(folder, 0o700))
		require.NoError(t, os.Chown(folder, user, 0))
		require.NoError(t, os.Chtimes(folder, old, old))
	}
	var out bytes.Buffer
	area, err := Open(t.Context(), workdir, slog.New(slog.NewTextHandler(&out, nil)))
	require.NoError(t, err)
	defer area.Close()
	require.ElementsMatch(t, []string{lockName, area.id, workerPrefix + "b"}, names(t, workdir))
	require.Contains(t, out.String(), "folder=worker-b user=12345")
}

// Whichever of them makes the lock, all get it.
func TestWorkersThatStartAtOnce(t *testing.T) {
	t.Parallel()
	for range 200 {
		root, err := os.OpenRoot(t.TempDir())
		require.NoError(t, err)
		defer root.Close()
		errs := make([]error, 8)
		var start, end sync.WaitGroup
		start.Add(1)
		for i := range errs {
			end.Go(func() {
				start.Wait()
				lock, err := openLock(root)
				errs[i] = errors.Join(err, lock.Close())
			})
		}
		start.Done()
		end.Wait()
		require.NoError(t, errors.Join(errs...))
	}
}

// systemd-tmpfiles leaves a directory alone that it cannot lock.
func TestWorkDirectoryIsHeld(t *testing.T) {
	t.Parallel()
	workdir := t.TempDir()
	dir, err := os.Open(workdir)
	require.NoError(t, err)
	defer dir.Close()
	lock := func() error {
		return errors.Join(unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.Flock(int(dir.Fd()), unix.LOCK_UN))
	}
	first, second := open(t, workdir), open(t, workdir)
	require.ErrorIs(t, lock(), unix.EWOULDBLOCK)
	require.NoError(t, first.Close())
	require.ErrorIs(t, lock(), unix.EWOULDBLOCK)
	require.NoError(t, second.Close())
	require.NoError(t, lock())
}

func TestOwnFolder(t *testing.T) {
	t.Parallel()
	workdir := filepath.Join(t.TempDir(), "work")
	folder, err := OwnFolder(workdir, "own")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(workdir, "own"), folder)
	_, err = OwnFolder(workdir, "own")
	require.NoError(t, err, "it is there")

	require.NoError(t, os.Chmod(folder, 0o777))
	_, err = OwnFolder(workdir, "own")
	require.ErrorContains(t, err, "every user can write to")
	require.NoError(t, os.Symlink(folder, filepath.Join(workdir, "link")))
	_, err = OwnFolder(workdir, "link")
	require.ErrorContains(t, err, "is not a folder")
	require.NoError(t, os.Chmod(workdir, 0o777))
	_, err = OwnFolder(workdir, "new")
	require.ErrorContains(t, err, "every user can write to it")
}
