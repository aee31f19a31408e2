package performance_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// Whose processor time and memory is measured.
const (
	own      = "own" // of the way that is measured: our worker, or the conventional tools
	gitPart  = "git" // of git's processes at both servers
	s3Part   = "s3"
	temporal = "temporal"
)

// figures are what one round of one way has taken on one side.
type figures struct {
	Wall     float64            `json:"wall_seconds"`
	CPU      map[string]float64 `json:"cpu_seconds"`
	Peak     map[string]int64   `json:"peak_bytes"`
	Disk     int64              `json:"disk_bytes"`      // the most that was in the work directory at a time
	Requests map[string]int     `json:"requests"`        // by server and kind
	Bytes    map[string]int64   `json:"bytes"`           // by where they came from or went to
	Cycle    *cycleFigures      `json:"cycle,omitempty"` // of this system
}

// process is the one that a way runs in: a worker, or those of tools one after the other.
type process interface {
	cpu(testing.TB) time.Duration
	peak(testing.TB) int64 // bytes
}

// measure measures what is done, with its files in a work directory and its objects in a bucket.
func (w *world) measure(by process, workDir, bucket string, do func()) (f figures) {
	w.Helper()
	servers := map[string]int{temporal: w.Temporal.PID(), s3Part: w.S3.PID()}
	f.CPU, f.Peak = map[string]float64{}, map[string]int64{}
	use := func(sign float64) {
		f.CPU[own] += sign * by.cpu(w).Seconds()
		f.CPU[gitPart] += sign * rusage.ChildrenCPU(w).Seconds()
		for name, pid := range servers {
			f.CPU[name] += sign * rusage.CPU(w, pid).Seconds()
		}
	}
	for _, pid := range servers {
		rusage.ResetPeak(w, pid)
	}
	before, sent := w.stored(bucket), w.written(w.S3.PID())
	w.takeRequests()
	in, out := w.traffic[stack.Consumer].in.Load(), w.traffic[stack.Producer].out.Load()
	use(-1)
	disk := rusage.WatchDisk(w, workDir)
	began := time.Now()
	do()
	f.Wall = time.Since(began).Seconds()
	f.Disk = disk()
	use(1)
	f.Requests = w.takeRequests()
	f.Bytes = map[string]int64{
		"from source": w.traffic[stack.Producer].out.Load() - out, "to destination": w.traffic[stack.Consumer].in.Load() - in,
		"from bucket": w.written(w.S3.PID()) - sent, "to bucket": 0,
	}
	for file, size := range w.stored(bucket) {
		if _, was := before[file]; !was {
			f.Bytes["to bucket"] += size
		}
	}
	if f.Bytes["to bucket"] > 0 { // what the server has written are these
		f.Bytes["from bucket"] = 0
	}
	f.Peak[own] = by.peak(w)
	for name, pid := range servers {
		f.Peak[name] = rusage.PeakMemory(w, pid)
	}
	return f
}

// takeRequests returns what all servers were asked since it was called last.
func (w *world) takeRequests() map[string]int {
	w.Helper()
	all := map[string]int{}
	for server, counts := range map[string]map[string]int{
		"source": w.traffic[stack.Producer].Take(), "destination": w.traffic[stack.Consumer].Take(), "bucket": w.takeBucket(),
	} {
		for kind, n := range counts {
			all[server+" "+kind] = n
		}
	}
	return all
}

// written is how many bytes a process has written so far, to files and connections (proc(5), wchar).
func (w *world) written(pid int) int64 {
	w.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	require.NoError(w, err)
	_, rest, found := strings.Cut(string(text), "wchar: ")
	require.True(w, found)
	number, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseInt(number, 10, 64)
	require.NoError(w, err)
	return n
}
