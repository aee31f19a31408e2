package staging

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lockRetryInterval is how long to wait before trying again a lock that another process holds.
	lockRetryInterval = 50 * time.Millisecond
	// abandonedAge is how old a worker's folder without a lock has to be before it counts as a dead worker's. A living
	// worker whose lock was deleted makes another within minutes (Maintain).
	abandonedAge = time.Hour
)

var errLocked = errors.New("locked by another process")

// openLock opens a lock file, and creates it if it does not exist. Everyone in the group of the work directory may
// use it, whatever the umask: OpenShift runs workers as different users of one group.
func openLock(root *os.Root) (*os.File, error) {
	for {
		f, err := root.OpenFile(lockName, os.O_RDWR, 0)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		// O_EXCL: only a file that is new and ours gets another mode.
		f, err = root.OpenFile(lockName, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o660)
		if err == nil {
			return f, f.Chmod(0o660)
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
}

// tryLock takes the flock(2) of a folder, or fails with errLocked. The kernel releases it when the process ends,
// however it ends.
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

// withWorkdirLocked calls do while it holds the lock of the work directory. Every worker that sweeps or creates a folder holds
// this lock, because otherwise a new folder could be swept between its creation and its locking.
func (a *Area) withWorkdirLocked(ctx context.Context, do func(workdir *os.Root) error) error {
	workdir, err := openWorkdir(a.workdir)
	if err != nil {
		return err
	}
	defer workdir.Close() //nolint:errcheck // it was only read
	lock, err := a.lockWorkdir(ctx, workdir)
	if err != nil {
		return err
	}
	defer lock.Close()
	return do(workdir)
}

// lockWorkdir waits for the lock of the work directory, and logs it if it has to.
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

// sweepWorkers removes every worker folder whose lock is free. It leaves the folders of other users alone: someone
// may have put them there as an obstacle.
func (a *Area) sweepWorkers(workdir *os.Root, log *slog.Logger) error {
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
			log.Warn("Left the folder of another user's worker alone", "workdir", a.workdir, "folder", e.Name(), "user", user)
			continue
		}
		if err := a.sweepWorker(workdir, e.Name()); err != nil {
			return fmt.Errorf("remove leftovers of a killed worker: %w", err)
		}
	}
	return nil
}

func (a *Area) sweepWorker(workdir *os.Root, name string) error {
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
	d := Dead{name, readNotes(dir)}
	if err := workdir.RemoveAll(name); err != nil {
		return err
	}
	a.tell(d)
	return nil
}

// sweep is sweepWorkers for a worker that lives: one beside it was killed, and none has started since.
func (a *Area) sweep(ctx context.Context) error {
	return a.withWorkdirLocked(ctx, func(workdir *os.Root) error {
		return a.sweepWorkers(workdir, slog.New(slog.DiscardHandler)) // it has been logged when this one started
	})
}
