package staging

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	// minIdleTime is how long a run's folder has to be unchanged before Maintain asks whether the run is over.
	minIdleTime = time.Minute
	// recreateTimeout bounds the wait for another worker when the folder has to be created again.
	recreateTimeout = time.Minute
)

// ensureFolder returns the worker's folder. If it was deleted, as systemd-tmpfiles may do in /tmp, it creates the
// folder again with its lock, without which the next worker that starts would take it for a dead worker's. The files
// in it are lost.
func (a *Area) ensureFolder() (*os.Root, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.isInPlace() {
		return a.dir, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), recreateTimeout)
	defer cancel()
	// The old folder is not closed: steps may still work there.
	_, lost := a.dir, a.lock
	if err := a.withWorkdirLocked(ctx, a.createFolder); err != nil {
		return nil, fmt.Errorf("make the worker's folder again, which was deleted: %w", err)
	}
	lost.Close()
	a.log.Warn("The worker's folder was deleted, and was made again: the runs that had files there start over", "workdir", a.workdir, "folder", a.id)
	return a.dir, nil
}

// isInPlace tells whether the lock that this process holds is the file that others look at.
func (a *Area) isInPlace() bool {
	ours, err := a.lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(filepath.Join(a.workdir, a.id, lockName))
	return err == nil && os.SameFile(ours, there)
}

// maxRunsAsked bounds how many runs Maintain asks about at a time.
const maxRunsAsked = 100

// Maintain makes sure that the worker's folder exists, and removes the folders of killed workers, and of runs that are over. A run leaves
// its folder behind when the server gave up a worker that paused, and the run's last step, which removes the folder,
// ran on another worker. WhichOver is given runs with the times when their folders last changed, and returns those
// that are over.
func (a *Area) Maintain(ctx context.Context, whichOver func(ctx context.Context, runs map[string]time.Time) (over []string, err error)) error {
	dir, err := a.ensureFolder()
	if err != nil {
		return err
	}
	if err := a.sweep(ctx); err != nil {
		return err
	}
	entries, err := fs.ReadDir(dir.FS(), ".")
	if err != nil {
		return err
	}
	runs := map[string]time.Time{}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && e.IsDir() && time.Since(info.ModTime()) >= minIdleTime && len(runs) < maxRunsAsked {
			runs[e.Name()] = info.ModTime()
		}
	}
	if len(runs) == 0 {
		return nil
	}
	over, err := whichOver(ctx, runs)
	if err != nil {
		return fmt.Errorf("ask which runs are over: %w", err)
	}
	for _, run := range over {
		if err := dir.RemoveAll(run); err != nil {
			return fmt.Errorf("remove what run %s has left: %w", run, err)
		}
		a.log.Info("Removed what a run has left that is over", "run", run)
	}
	return nil
}
