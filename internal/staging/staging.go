// Package staging keeps the files that the steps of one run hand to each other.
//
// Every worker process has a folder of its own below the work directory, which it
// holds locked for as long as it lives, and in it one folder for each run. What a killed
// worker has left is recognised by its lock being free, and removed by the next worker
// that starts there, so that several workers can share a work directory.
package staging

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrMissing says that a staged file is not there, most likely because the worker
// that held it is gone. The run has to start over.
var ErrMissing = errors.New("staged file is missing")

const (
	workerPrefix = "worker-"
	lockName     = "lock"
)

// Area is the folder of one worker process.
type Area struct {
	dir  string
	lock *os.File
}

// Open makes the worker's folder below workdir, and removes the folders of
// workers that are no longer running.
func Open(workdir string) (*Area, error) {
	if err := os.MkdirAll(workdir, 0o700); err != nil {
		return nil, fmt.Errorf("work directory: %w", err)
	}
	// Whoever sweeps or makes a folder holds this lock, or a new folder could be
	// swept between its creation and its locking.
	guard, err := lockFile(filepath.Join(workdir, lockName), unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer guard.Close()
	if err := sweep(workdir); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(workdir, workerPrefix)
	if err != nil {
		return nil, fmt.Errorf("work directory: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, lockName), unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	return &Area{dir: dir, lock: lock}, nil
}

// sweep removes every worker folder whose lock is free.
func sweep(workdir string) error {
	entries, err := os.ReadDir(workdir)
	if err != nil {
		return fmt.Errorf("work directory: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), workerPrefix) {
			continue
		}
		dir := filepath.Join(workdir, e.Name())
		lock, err := lockFile(filepath.Join(dir, lockName), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			continue // its worker lives
		}
		if err != nil {
			return err
		}
		err = os.RemoveAll(dir)
		lock.Close()
		if err != nil {
			return fmt.Errorf("remove leftovers of a killed worker: %w", err)
		}
	}
	return nil
}

// lockFile takes an flock(2) on path. The kernel frees it when the process ends, however it ends.
func lockFile(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// ID is the name of the worker's folder. It is another one for each process.
func (a *Area) ID() string { return filepath.Base(a.dir) }

// Close removes the worker's folder with all that is in it.
func (a *Area) Close() error {
	defer a.lock.Close()
	return os.RemoveAll(a.dir)
}

// Run is the folder of one run. Its zero value is not usable.
type Run struct{ dir string }

// Run gives the folder for a run, which is made when its first file is.
// An ID that is not a plain file name is refused.
func (a *Area) Run(id string) (Run, error) {
	if id == "" || id == lockName || id != filepath.Base(id) || strings.HasPrefix(id, ".") {
		return Run{}, fmt.Errorf("invalid run ID %q", id)
	}
	return Run{filepath.Join(a.dir, id)}, nil
}

// Remove deletes the run's folder. It may be gone already.
func (r Run) Remove() error { return os.RemoveAll(r.dir) }

// Open opens a staged file for reading. The error is ErrMissing when it is not there.
func (r Run) Open(name string) (*os.File, error) {
	f, err := os.Open(filepath.Join(r.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrMissing, name)
	}
	return f, err
}

// Discard deletes staged files that no later step needs.
func (r Run) Discard(names ...string) error {
	for _, name := range names {
		if err := os.Remove(filepath.Join(r.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
