package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// No step may hold a large file in memory, on either side.
func TestMemoryDoesNotGrowWithLargeFiles(test *testing.T) {
	rusage.Need(test)
	const allowed = 40 << 20 // bytes
	t := beginLFS(test)
	releasedWorkers(t.sides)
	small := t.syncLarge("lfs-memory/small", 3<<20)
	big := t.syncLarge("lfs-memory/big", 150<<20)
	for _, role := range stack.Roles {
		require.Less(t, big.peak[role], small.peak[role]+allowed, "%s", role)
		require.Less(t, big.peak[role], int64(memoryLimit), "%s", role)
	}
}

// memoryLimit is that of the predecessor's OpenShift templates.
const memoryLimit = 200 << 20

// crossing is what the sync of one large file has cost.
type crossing struct {
	took, cpu map[stack.Role]time.Duration
	peak      map[stack.Role]int64 // bytes
}

// syncLarge has new workers sync a project with a file of that many bytes.
func (t lfsSides) syncLarge(repo string, size int64) crossing {
	t.Helper()
	emptyBucket(t.sides) // it is the only project
	c := crossing{map[stack.Role]time.Duration{}, map[stack.Role]time.Duration{}, map[stack.Role]int64{}}
	w := t.newProject(repo)
	w.write("large.bin", size)
	w.push("large")
	t.sync([2]string{repo + "@main", "mirror-" + repo + "@main"})
	for _, role := range stack.Roles {
		t.restart(role)
	}
	c.took[stack.Producer], c.took[stack.Consumer] = syncOnce(t.sides)
	for _, role := range stack.Roles {
		c.peak[role], c.cpu[role] = rusage.PeakMemory(t.sides, t.sides.Workers[role].PID()), rusage.CPU(t.sides, t.sides.Workers[role].PID())
		t.Logf("%s: %s, %s of CPU time and %d MB for a large file of %d MB", role, c.took[role], c.cpu[role], c.peak[role]>>20, size>>20)
	}
	t.requireSame(w, "mirror-"+repo, "main")
	return c
}

// BenchmarkLargeFile takes a file of 1 GB, which is several objects in the bucket, across. It needs 8 GB of disk.
func BenchmarkLargeFile(b *testing.B) {
	rusage.Need(b)
	if stack.Race {
		b.Skip("the race detector's workers are not what is released")
	}
	t := beginLFS(b)
	for b.Loop() {
		c := t.syncLarge("lfs-bench/app", 1_000_000_000)
		for _, role := range stack.Roles {
			require.Less(t, c.peak[role], int64(memoryLimit), "%s", role)
			b.ReportMetric(c.took[role].Seconds(), string(role)+"-s")
			b.ReportMetric(c.cpu[role].Seconds(), string(role)+"-cpu-s")
			b.ReportMetric(float64(c.peak[role])/1e6, string(role)+"-peak-MB")
		}
	}
	b.ReportMetric(0, "ns/op") // includes making the file
}
