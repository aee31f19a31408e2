package lfs

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
)

// largeRepository has 5,000 texts of all sizes and 3,000 pointers, and commits that each change ten of them.
func largeRepository(b *testing.B, commits int) repository {
	r := repository{b, b.TempDir()}
	r.git("", "init", "--quiet", "--bare", "--initial-branch=main")
	fastImport := r.command(nil, "fast-import", "--quiet")
	in, err := fastImport.StdinPipe()
	require.NoError(b, err)
	require.NoError(b, fastImport.Start())
	h := &history{random: rand.New(rand.NewPCG(1, 2)), w: bufio.NewWriterSize(in, 1<<20), files: map[string]string{}}
	random := func(lines int) string {
		var text bytes.Buffer
		for range lines {
			fmt.Fprintf(&text, "%x\n", h.random.Uint64())
		}
		return text.String()
	}
	set := func(i int) {
		name := fmt.Sprintf("%d/%d", i%90, i)
		old := h.files[name]
		switch {
		case i >= 5000:
			h.put(name, pointer(fmt.Sprintf("%016x%016x%016x%016x", h.random.Uint64(), h.random.Uint64(), h.random.Uint64(), h.random.Uint64()), h.random.Uint32()))
		case old == "":
			h.put(name, random([]int{5, 30, 200, 600}[i%4]))
		default:
			at := h.random.IntN(len(old))
			h.put(name, old[:at]+random(1+h.random.IntN(12))+old[min(len(old), at+100):])
		}
	}
	h.commit("main", "")
	for i := range 8000 {
		set(i)
	}
	for range commits {
		h.commit("main", "")
		for range 10 {
			set(h.random.IntN(8000))
		}
	}
	require.NoError(b, h.w.Flush())
	require.NoError(b, in.Close())
	require.NoError(b, fastImport.Wait())
	r.git("", "repack", "-adfq", "--depth=50", "--window=10")
	return r
}

// BenchmarkFindPointers searches a pack, and has git index the same.
func BenchmarkFindPointers(b *testing.B) {
	r := largeRepository(b, 12_000)
	packs, err := filepath.Glob(filepath.Join(r.dir, "objects/pack/*.pack"))
	require.NoError(b, err)
	require.Len(b, packs, 1)
	pack, err := os.Open(packs[0])
	require.NoError(b, err)
	defer pack.Close()
	info, err := pack.Stat()
	require.NoError(b, err)
	hundreds := float64(info.Size()) / 100e6
	b.Run("ours", func(b *testing.B) {
		debug.FreeOSMemory()
		rusage.ResetPeak(b, os.Getpid())
		before := rusage.Memory(b, os.Getpid())
		began := rusage.OwnCPU(b)
		for b.Loop() {
			list, _, err := FindPointers(b.Context(), pack, info.Size(), false)
			require.NoError(b, err)
			b.ReportMetric(float64(len(list)), "pointers")
		}
		b.ReportMetric((rusage.OwnCPU(b)-began).Seconds()/float64(b.N)/hundreds, "cpu-s/100MB")
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/hundreds, "s/100MB")
		b.ReportMetric(float64(rusage.PeakMemory(b, os.Getpid())-before)/1e6, "peak-MB")
		b.ReportMetric(float64(info.Size())/1e6, "pack-MB")
	})
	b.Run("git index-pack", func(b *testing.B) {
		var cpu time.Duration
		for b.Loop() {
			cmd := r.command(nil, "index-pack", "-o", filepath.Join(b.TempDir(), "gits.idx"), packs[0])
			require.NoError(b, cmd.Run())
			cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		}
		b.ReportMetric(cpu.Seconds()/float64(b.N)/hundreds, "cpu-s/100MB")
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/hundreds, "s/100MB")
	})
}
