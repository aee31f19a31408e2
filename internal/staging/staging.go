// Package staging keeps the files that the steps of one run hand to each other.
//
// Every worker process has a folder of its own in the work directory, and in it a folder for each run. It holds its
// folder locked for as long as it lives. A folder with a free lock belonged to a worker that has ended before its runs did: a worker
// that starts there, or lives beside it, removes it and tells of it (Dead). So several workers can share a work directory. A living
// worker maintains its folder: it removes what finished runs left behind, and creates the folder again if it was deleted.
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
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrMissing says that a staged file does not exist, most likely because the worker that held it is gone. The run has
// to start over.
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
	dead    chan Dead

	mu             sync.Mutex
	dir            *os.Root   // the folder
	lock           *os.File   // in the folder, held
	workdirHandles []*os.File // the work directory, once for each time that it was opened
}

// Open creates the worker's folder in workdir, and removes the folders of workers that are no longer running. While
// another worker does the same there, it logs that and waits, until ctx is done.
func Open(ctx context.Context, workdir string, log *slog.Logger) (*Area, error) {
	a := &Area{workdir: workdir, id: workerPrefix + rand.Text(), log: log, dead: make(chan Dead, maxDead)}
	err := a.withWorkdirLocked(ctx, func(workdir *os.Root) error {
		if err := a.sweepWorkers(workdir, log); err != nil {
			return err
		}
		return a.createFolder(workdir)
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// createFolder creates the worker's folder and locks it. The work directory has to be locked.
func (a *Area) createFolder(workdir *os.Root) error {
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

// checkOwner refuses a worker's folder that somebody else created under its name.
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

// holdWorkdir locks the work directory so that systemd-tmpfiles, which ignores locked directories, does not clean up
// there. Where a directory cannot be locked, as on NFS, systemd-tmpfiles does not clean up either.
func (a *Area) holdWorkdir(workdir *os.Root) {
	dir, err := workdir.Open(".")
	if err != nil {
		return
	}
	_ = unix.Flock(int(dir.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	a.workdirHandles = append(a.workdirHandles, dir)
}

// ID is the name of the worker's folder. Each process has another one.
func (a *Area) ID() string { return a.id }

// Close removes the worker's files. If runs have not removed theirs, or notes are not struck out, the folder stays, with the notes:
// who finds it answers for what has not ended here.
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
	left := 0
	entries, err := fs.ReadDir(a.dir.FS(), ".")
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		left++
		if e.IsDir() {
			err = errors.Join(err, a.dir.RemoveAll(e.Name()))
		}
	}
	if left == 0 || !a.isInPlace() {
		err = errors.Join(err, workdir.RemoveAll(a.id))
	}
	return err
}

// HasRuns tells whether runs have files here.
func (a *Area) HasRuns() bool {
	dir, err := a.ensureFolder()
	if err != nil {
		return false
	}
	entries, _ := fs.ReadDir(dir.FS(), ".")
	return slices.ContainsFunc(entries, fs.DirEntry.IsDir)
}

// Run is the folder of one run. Its zero value is not usable.
type Run struct {
	area *Area
	id   string
}

// Run returns the folder for a run, which is created with its first file. It refuses an ID that is not a plain file
// name.
func (a *Area) Run(id string) (Run, error) {
	if id == lockName || id != filepath.Base(id) || strings.HasPrefix(id, ".") {
		return Run{}, fmt.Errorf("invalid run ID %q", id)
	}
	return Run{a, id}, nil
}
