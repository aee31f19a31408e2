// Package rusage tells tests what processes have used: CPU time and memory.
package rusage

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Need skips a test where there is no proc(5).
func Need(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
}

// CPU is what a process has used so far, in user and kernel mode (proc(5), utime and stime).
func CPU(t testing.TB, pid int) time.Duration {
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

// OwnCPU is what this process has used.
func OwnCPU(t testing.TB) time.Duration {
	t.Helper()
	return cpu(t, syscall.RUSAGE_SELF)
}

// ChildrenCPU is what processes have used that this one has started, and that have ended, such as those of git.
func ChildrenCPU(t testing.TB) time.Duration {
	t.Helper()
	return cpu(t, syscall.RUSAGE_CHILDREN)
}

func cpu(t testing.TB, who int) time.Duration {
	t.Helper()
	var used syscall.Rusage
	require.NoError(t, syscall.Getrusage(who, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// Memory is what a process has now, in bytes (proc(5), VmRSS).
func Memory(t testing.TB, pid int) int64 {
	t.Helper()
	return status(t, pid, rss)
}

// PeakMemory is the most that a process was given, in bytes, since it began or since ResetPeak (proc(5), VmHWM).
func PeakMemory(t testing.TB, pid int) int64 {
	t.Helper()
	return status(t, pid, peakRSS)
}

// ResetPeak has PeakMemory begin anew.
func ResetPeak(t testing.TB, pid int) {
	t.Helper()
	const resetPeakRSS = "5" // proc(5), clear_refs
	require.NoError(t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte(resetPeakRSS), 0))
}

var (
	rss     = regexp.MustCompile(`(?m)^VmRSS:\s*(\d+) kB$`)
	peakRSS = regexp.MustCompile(`(?m)^VmHWM:\s*(\d+) kB$`)
)

func status(t testing.TB, pid int, line *regexp.Regexp) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	match := line.FindSubmatch(text)
	require.NotNil(t, match)
	kib, err := strconv.ParseInt(string(match[1]), 10, 64)
	require.NoError(t, err)
	return kib << 10
}
