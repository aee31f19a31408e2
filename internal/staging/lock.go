package staging

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lockRetryInterval is how often a lock that another holds is tried again.
	lockRetryInterval = 50 * time.Millisecond
	// abandonedAge is how old a worker's folder without a lock has to be before it is taken for a dead worker's.
	// A living one whose lock something has deleted makes another within minutes (Tend).
	abandonedAge = time.Hour
)

var errLocked = errors.New("locked by another process")

// openLock opens a lock file, and makes it if it is not there. Whoever shares the group of the work
// directory may use it, whatever the umask says: OpenShift gives workers users of its own that have a group in common.
func openLock(root *os.Root) (*os.File, error) {
	for {
		f, err := root.OpenFile(lockName, os.O_RDWR, 0)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		// Only what is certainly new and ours gets another mode.
		f, err = root.OpenFile(lockName, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o660)
		if err == nil {
			return f, f.Chmod(0o660)
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
}

// tryLock takes the flock(2) of a folder, or fails with errLocked. The kernel frees it when the process ends, however it ends.
func tryLock(root *os.Root) (*os.File, error) {
	f, err := openLock(root)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = errLocked
		}
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return f, nil
}

// lockWorkdir takes the lock of the whole work directory, and says so if it has to wait for it. Whoever sweeps or makes
// a folder holds it, or a new folder could be swept between its creation and its locking.
func (a *Area) lockWorkdir(ctx context.Context, root *os.Root) (*os.File, error) {
	for waited := false; ; waited = true {
		f, err := tryLock(root)
		if !errors.Is(err, errLocked) {
			return f, err
		}
		if !waited {
			a.log.Warn("Waiting for another worker that starts or sweeps in the same work directory", "workdir", a.workdir)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: gave up waiting: %w", err, context.Cause(ctx))
		case <-time.After(lockRetryInterval):
		}
	}
}

// sweepWorkers removes every worker folder whose lock is free. Those of other users are theirs to remove: they
// may have been put there to be in the way.
func (a *Area) sweepWorkers(workdir *os.Root) error {
	entries, err := fs.ReadDir(workdir.FS(), ".")
	if err != nil {
		return fmt.Errorf("work directory: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), workerPrefix) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return fmt.Errorf("work directory: %w", err)
		}
		if user, _ := ownerOf(info); user != os.Geteuid() {
			a.log.Warn("Left the folder of another user's worker alone", "workdir", a.workdir, "folder", e.Name(), "user", user)
			continue
		}
		if err := sweepWorker(workdir, e.Name()); err != nil {
			return fmt.Errorf("remove leftovers of a killed worker: %w", err)
		}
	}
	return nil
}

func sweepWorker(workdir *os.Root, name string) error {
	dir, err := workdir.OpenRoot(name)
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // it was only read
	if _, err := dir.Lstat(lockName); errors.Is(err, fs.ErrNotExist) {
		info, err := dir.Stat(".")
		if err != nil || time.Since(info.ModTime()) < abandonedAge {
			return err
		}
	}
	lock, err := tryLock(dir)
	if errors.Is(err, errLocked) {
		return nil // its worker lives
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	return workdir.RemoveAll(name)
}
