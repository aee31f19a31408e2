package scale_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func needProc(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
}

// processWith is the process of a server that this one has started, whose command line has a word.
func processWith(t testing.TB, word string) (pid int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		id, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && id != os.Getpid() && strings.Contains("\x00"+string(text), "\x00"+word+"\x00") {
			return id
		}
	}
	t.Fatalf("no process has %q in its command line", word)
	return 0
}

// cpuOf is what a process has used so far, in user and kernel mode (proc(5), utime and stime).
func cpuOf(t testing.TB, pid int) time.Duration {
	t.Helper()
	const ticksPerSecond = 100 // of the kernel's interface, on every architecture that Go runs on
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(stat), ") ")
	var ticks int64
	for _, field := range strings.Fields(rest)[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		require.NoError(t, err)
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond
}

// cpuOfChildren is what processes have used that this one has started, and that have ended: those of git.
func cpuOfChildren(t testing.TB) time.Duration { return usage(t, syscall.RUSAGE_CHILDREN) }

// ownCPU is what this process has used.
func ownCPU(t testing.TB) time.Duration { return usage(t, syscall.RUSAGE_SELF) }

func usage(t testing.TB, who int) time.Duration {
	t.Helper()
	var used syscall.Rusage
	require.NoError(t, syscall.Getrusage(who, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

var peak = regexp.MustCompile(`(?m)^VmHWM:\s*(\d+) kB$`)

// peakOf is the most memory that a process was given since forgetPeak, in bytes (proc(5), VmHWM).
func peakOf(t testing.TB, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	match := peak.FindSubmatch(status)
	require.NotNil(t, match)
	kib, err := strconv.ParseInt(string(match[1]), 10, 64)
	require.NoError(t, err)
	return kib << 10
}

func forgetPeak(t testing.TB, pid int) {
	t.Helper()
	const peakRSS = "5" // proc(5), clear_refs
	require.NoError(t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte(peakRSS), 0))
}
