package rusage

import (
	"io/fs"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// WatchDisk looks at what the files below a folder take of the disk until peak is called, which returns the most that they took, in
// bytes. It looks every few milliseconds: what was there for less may be missing.
func WatchDisk(t testing.TB, dir string) (peak func() int64) {
	t.Helper()
	var most int64
	quit, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			most = max(most, diskUse(dir))
			select {
			case <-quit:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	stop := sync.OnceFunc(func() {
		close(quit)
		<-stopped
	})
	t.Cleanup(stop)
	return func() int64 {
		stop()
		return most
	}
}

// diskUse leaves out what goes meanwhile.
func diskUse(dir string) (used int64) {
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			if stat, ok := info.Sys().(*syscall.Stat_t); ok {
				used += stat.Blocks * 512 // stat(2)
			}
		}
		return nil
	})
	return used
}
