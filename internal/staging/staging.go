// Package staging keeps the files that the steps of one run hand to each other.
//
// Every worker process has a folder of its own below the work directory, which it
// holds locked for as long as it lives, and in it one folder for each run. What a killed
// worker has left is recognised by its lock being free, and removed by the next worker
// that starts there, so that several workers can share a work directory. A living worker tends
// its folder: it removes what runs have left, and makes the folder again when it was deleted.
package staging

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

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
	workdir string
	id      string // the folder's name
	log     *slog.Logger

	mu             sync.Mutex
	dir            *os.Root   // the folder
	lock           *os.File   // in the folder, held
	workdirHandles []*os.File // the work directory, each time it was entered
}

// Open makes the worker's folder below workdir, and removes the folders of workers that are no longer
// running. It waits, and says so, while another worker does the same there, until ctx is done.
func Open(ctx context.Context, workdir string, log *slog.Logger) (*Area, error) {
	a := &Area{workdir: workdir, id: workerPrefix + rand.Text(), log: log}
	if err := a.createFolder(ctx, a.sweepWorkers); err != nil {
		return nil, err
	}
	return a, nil
}

// createFolder makes the worker's folder and locks it. Before, it does what is to be done once.
func (a *Area) createFolder(ctx context.Context, before func(workdir *os.Root) error) error {
	workdir, err := openWorkdir(a.workdir)
	if err != nil {
		return err
	}
	defer workdir.Close() //nolint:errcheck // it was only read
	guard, err := a.lockWorkdir(ctx, workdir)
	if err != nil {
		return err
	}
	defer guard.Close()
	if err := before(workdir); err != nil {
		return err
	}
	if err := workdir.Mkdir(a.id, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("work directory: %w", err)
	}
	dir, err := workdir.OpenRoot(a.id)
	if err != nil {
		return fmt.Errorf("work directory: %w", err)
	}
	if err := checkOwner(dir); err != nil {
		return errors.Join(err, dir.Close())
	}
	lock, err := tryLock(dir)
	if err != nil {
		return errors.Join(err, dir.Close())
	}
	a.dir, a.lock = dir, lock
	a.holdWorkdir(workdir)
	return nil
}

// checkOwner refuses a worker's folder that somebody else has made under its name.
func checkOwner(dir *os.Root) error {
	info, err := dir.Stat(".")
	if err != nil {
		return err
	}
	if user, _ := ownerOf(info); user != os.Geteuid() || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("work directory: %s was put there by user %d: remove it", dir.Name(), user)
	}
	return nil
}

// holdWorkdir keeps systemd-tmpfiles, which leaves alone what is locked, from cleaning up in the work directory.
// Where a directory cannot be locked, as on NFS, it does not clean up either.
func (a *Area) holdWorkdir(workdir *os.Root) {
	dir, err := workdir.Open(".")
	if err != nil {
		return
	}
	_ = unix.Flock(int(dir.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	a.workdirHandles = append(a.workdirHandles, dir)
}

// ID is the name of the worker's folder. It is another one for each process.
func (a *Area) ID() string { return a.id }

// Close removes the worker's folder with all that is in it.
func (a *Area) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range append(a.workdirHandles, a.lock) {
		defer f.Close()
	}
	defer a.dir.Close() //nolint:errcheck // it goes with the process
	workdir, err := os.OpenRoot(a.workdir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer workdir.Close() //nolint:errcheck // it was only read
	return workdir.RemoveAll(a.id)
}

// Run is the folder of one run. Its zero value is not usable.
type Run struct {
	area *Area
	id   string
}

// Run gives the folder for a run, which is made when its first file is.
// An ID that is not a plain file name is refused.
func (a *Area) Run(id string) (Run, error) {
	if id == lockName || id != filepath.Base(id) || strings.HasPrefix(id, ".") {
		return Run{}, fmt.Errorf("invalid run ID %q", id)
	}
	return Run{a, id}, nil
}
