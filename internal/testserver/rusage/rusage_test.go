package rusage_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
)

func TestCPU(t *testing.T) {
	rusage.Need(t)
	const work = 50 * time.Millisecond
	before, own := rusage.CPU(t, os.Getpid()), rusage.OwnCPU(t)
	for rusage.OwnCPU(t) < own+work { // that is the work
	}
	require.InDelta(t, work, rusage.CPU(t, os.Getpid())-before, float64(2*work), "both ways to ask agree")
	require.Greater(t, rusage.CPU(t, os.Getpid()), before)
}

func TestPeakMemory(t *testing.T) {
	rusage.Need(t)
	const much = 64 << 20
	func() {
		memory := make([]byte, much)
		for i := range memory {
			memory[i] = 1
		}
		require.Greater(t, rusage.Memory(t, os.Getpid()), int64(memory[len(memory)-1])*much)
	}()
	debug.FreeOSMemory()
	before := rusage.PeakMemory(t, os.Getpid())
	require.Less(t, rusage.Memory(t, os.Getpid()), before-much/2)
	rusage.ResetPeak(t, os.Getpid())
	require.Less(t, rusage.PeakMemory(t, os.Getpid()), before-much/2)
}

func TestWatchDisk(t *testing.T) {
	t.Parallel()
	const much = 1 << 20
	dir := t.TempDir()
	file := filepath.Join(dir, "folder", "file")
	require.NoError(t, os.Mkdir(filepath.Dir(file), 0o700))
	peak, none := rusage.WatchDisk(t, dir), rusage.WatchDisk(t, t.TempDir())
	require.NoError(t, os.WriteFile(file, bytes.Repeat([]byte("x"), much), 0o600))
	time.Sleep(200 * time.Millisecond)
	require.NoError(t, os.Remove(file))
	time.Sleep(200 * time.Millisecond)
	require.InDelta(t, much, peak(), 64<<10)
	require.Zero(t, none())
	require.NoError(t, os.WriteFile(file, bytes.Repeat([]byte("x"), 2*much), 0o600))
	require.InDelta(t, much, peak(), 64<<10, "it is no longer watched")
}
