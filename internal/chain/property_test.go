package chain

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/app-sre/git-partition-sync/internal/object"
)

// history plays a producer: it uploads updates of random sizes as Keep tells, and deletes what
// is superseded, some of it late.
type history struct {
	t       *rapid.T
	bucket  []object.Stored
	weight  []int64 // new bytes of each update; the commit's number is the index
	upload  int64   // bytes uploaded in all
	inChain int
	keepAll bool // nothing is ever deleted
}

func commitName(n int) string { return fmt.Sprintf("c%d", n) }

// size is what an upload from commit base (-1 for a snapshot) to the newest commit weighs.
func (h *history) size(base int) (sum int64) {
	for _, w := range h.weight[base+1:] {
		sum += w
	}
	return sum
}

func (h *history) update(weight int64) {
	h.weight = append(h.weight, weight)
	tip := len(h.weight) - 1
	base, baseName := -1, ""
	if tip > 0 {
		if kept, _ := Build(h.bucket)[router].ReusablePrefix(); len(kept) > 0 {
			baseName = kept[len(kept)-1].Commit
			_, err := fmt.Sscanf(baseName, "c%d", &base)
			require.NoError(h.t, err)
		}
	}
	size := h.size(base)
	h.upload += size
	h.bucket = append(h.bucket, stored(baseName, commitName(tip), size, tip))
	h.restores(tip)
	if h.keepAll {
		return
	}
	superseded := Build(h.bucket)[router].Superseded
	// A killed Prune leaves any part of it behind.
	n := rapid.IntRange(0, len(superseded)).Draw(h.t, "deleted")
	for _, gone := range superseded[:n] {
		h.bucket = slices.DeleteFunc(h.bucket, func(o object.Stored) bool { return o.Key == gone.Key })
		h.restores(tip)
	}
}

// restores follows the chain as a consumer applies it.
func (h *history) restores(tip int) {
	c := Build(h.bucket)[router]
	require.False(h.t, c.Broken())
	at := ""
	for _, o := range c.Objects {
		require.Equal(h.t, at, o.Base)
		at = o.Commit
	}
	require.Equal(h.t, commitName(tip), at)
	h.inChain = max(h.inChain, len(c.Objects))
}

func TestChainsStayShortAndCheap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &history{t: t}
		smallest, total := int64(math.MaxInt64), int64(0)
		for _, w := range rapid.SliceOfN(rapid.Int64Range(1, 1_000_000), 1, 120).Draw(t, "weights") {
			h.update(w)
			smallest, total = min(smallest, w), total+w
			bound := 2 + math.Log2(float64(total)/float64(smallest))
			require.LessOrEqual(t, float64(len(Build(h.bucket)[router].Objects)), bound, "objects in the chain")
			require.LessOrEqual(t, float64(h.upload), bound*float64(total), "bytes uploaded for %d new ones", total)
		}
	})
}

// The case that increments are for: a big repository and many small updates.
func TestManySmallUpdates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &history{t: t}
		h.update(2_000_000_000)
		updates := rapid.IntRange(1, 2000).Draw(t, "updates")
		for range updates {
			h.update(50_000)
		}
		require.LessOrEqual(t, h.inChain, 13)
		require.Less(t, h.upload-2_000_000_000, int64(updates)*50_000*12)
	})
}

// BenchmarkUpdates reports what docs/architecture.md quotes: 2,000 updates of 50 kB to a
// repository of 2 GB.
func BenchmarkUpdates(b *testing.B) {
	for b.Loop() {
		const snapshot, update, updates = 2_000_000_000, 50_000, 2000
		bucket := []object.Stored{stored("", commitName(0), snapshot, 0)}
		uploaded, longest := int64(snapshot), 1
		for tip := 1; tip <= updates; tip++ {
			kept, _ := Build(bucket)[router].ReusablePrefix()
			base, size := 0, int64(snapshot+tip*update)
			baseName := ""
			if len(kept) > 0 {
				baseName = kept[len(kept)-1].Commit
				_, _ = fmt.Sscanf(baseName, "c%d", &base)
				size = int64(tip-base) * update
			}
			uploaded += size
			chain := Build(append(bucket, stored(baseName, commitName(tip), size, tip)))[router]
			bucket, longest = chain.Objects, max(longest, len(chain.Objects))
		}
		b.ReportMetric(float64(uploaded)/1e9, "GB-uploaded")
		b.ReportMetric(float64(longest), "objects")
	}
}
