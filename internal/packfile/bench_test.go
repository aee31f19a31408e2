package packfile

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
)

// history packs a repository with 90 MB of history: 3,000 texts, and commits that each change a few lines of
// a dozen of them. It returns the path of the pack.
func history(b *testing.B, commits int) string {
	b.Helper()
	dir := b.TempDir()
	git := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(b.Context(), "git", append([]string{"-C", dir}, args...)...)
		cmd.Stderr = os.Stderr
		return cmd
	}
	require.NoError(b, git("init", "--quiet", "--bare").Run())
	fastImport := git("fast-import", "--quiet", "--depth=50")
	in, err := fastImport.StdinPipe()
	require.NoError(b, err)
	require.NoError(b, fastImport.Start())
	w := bufio.NewWriterSize(in, 1<<20)
	random := rand.New(rand.NewPCG(1, 2))
	texts := make([][]string, 3000)
	for i := range texts {
		for range 200 {
			texts[i] = append(texts[i], fmt.Sprintf("%x", random.Uint64()))
		}
	}
	put := func(i int) {
		text := strings.Join(texts[i], "\n")
		fmt.Fprintf(w, "M 100644 inline %d/%d\ndata %d\n%s\n", i%60, i, len(text), text)
	}
	for commit := range commits {
		fmt.Fprintf(w, "commit refs/heads/main\ncommitter A <a@example.com> %d +0000\ndata 1\nx\n", 1_700_000_000+commit)
		if commit == 0 {
			for i := range texts {
				put(i)
			}
		}
		for range 12 {
			i := random.IntN(len(texts))
			for range 20 {
				texts[i][random.IntN(200)] = fmt.Sprintf("%x%x%x", random.Uint64(), random.Uint64(), random.Uint64())
			}
			put(i)
		}
	}
	require.NoError(b, w.Flush())
	require.NoError(b, in.Close())
	require.NoError(b, fastImport.Wait())
	packs, err := filepath.Glob(filepath.Join(dir, "objects/pack/*.pack"))
	require.NoError(b, err)
	require.Len(b, packs, 1)
	return packs[0]
}

// BenchmarkIndex indexes a pack, and has git do the same.
func BenchmarkIndex(b *testing.B) {
	pack := history(b, 2000)
	f, err := os.Open(pack)
	require.NoError(b, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(b, err)
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(info.Size())
		debug.FreeOSMemory()
		rusage.ResetPeak(b, os.Getpid())
		before := rusage.OwnCPU(b)
		for b.Loop() {
			_, err := f.Seek(0, 0)
			require.NoError(b, err)
			x, err := NewIndex(f)
			require.NoError(b, err)
			count, err := x.memory.Count()
			require.NoError(b, err)
			b.ReportMetric(float64(count), "objects")
		}
		b.ReportMetric((rusage.OwnCPU(b)-before).Seconds()/float64(b.N), "cpu-s/op")
		b.ReportMetric(float64(rusage.PeakMemory(b, os.Getpid()))/1e6, "peak-MB")
		b.ReportMetric(float64(info.Size())/1e6, "pack-MB")
	})
	b.Run("git", func(b *testing.B) {
		b.SetBytes(info.Size())
		var most int64
		var used time.Duration
		for b.Loop() {
			cmd := exec.CommandContext(b.Context(), "git", "index-pack", "-o", filepath.Join(b.TempDir(), "gits.idx"), pack)
			require.NoError(b, cmd.Run())
			most = max(most, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
			used += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		}
		b.ReportMetric(float64(most)*1024/1e6, "peak-MB")
		b.ReportMetric(used.Seconds()/float64(b.N), "cpu-s/op")
	})
}
