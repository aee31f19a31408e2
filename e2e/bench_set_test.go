package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// BenchmarkSet measures what it costs to sync a project as a whole that has many tags.
func BenchmarkSet(b *testing.B) { measureSets(b, 10_000, 1) }

// BenchmarkLargeSet measures the same with 102,000 refs.
func BenchmarkLargeSet(b *testing.B) { measureSets(b, 100_000, 2_000) }

func measureSets(b *testing.B, tags, branches int) {
	rusage.Need(b)
	if stack.Race {
		b.Skip("the race detector's workers are not what is released")
	}
	repo := fmt.Sprintf("bench/tags-%d", tags)
	s := begin(b)
	generate(s, repo, smallRepository)
	tagAll(s, repo, 0, tags)
	branchAll(s, repo, branches)
	packRefs(b, s.Source, repo)
	configure(s, [2]string{repo + "@refs/*", "mirror/" + repo + "@refs/*"})
	next := tags
	b.Run("first", func(b *testing.B) {
		measureSet(b, s, repo, func(s sides) {
			emptyBucket(s)
			require.NoError(b, os.RemoveAll(s.Destination.Dir("mirror/"+repo)))
			create(b, s.Destination, "mirror/"+repo)
		})
	})
	packRefs(b, s.Destination, "mirror/"+repo)
	b.Run("1-tag", func(b *testing.B) {
		measureSet(b, s, repo, func(s sides) {
			tagAll(s, repo, next, 1)
			next++
		})
	})
	b.Run("idle", func(b *testing.B) { measureSet(b, s, repo, func(sides) {}) })
}

// packRefs does what servers' housekeeping does: git reads a file for each ref otherwise.
func packRefs(t testing.TB, server *stack.GitServer, repo string) {
	t.Helper()
	_, err := server.Git(t.Context(), repo, "pack-refs", "--all")
	require.NoError(t, err)
}

// branchAll makes branches of a commit each, but for main.
func branchAll(t sides, repo string, n int) {
	t.Helper()
	var in bytes.Buffer
	for i := 1; i < n; i++ {
		message := fmt.Sprintf("feature %d\n", i)
		fmt.Fprintf(&in, "commit refs/heads/feature/%d\ncommitter a <a@example.com> 1700000000 +0000\ndata %d\n%sfrom refs/heads/main^0\n\n", i, len(message), message)
	}
	require.NoError(t, t.Source.Import(t.Context(), repo, &in))
}

// tagAll adds annotated tags of the newest commit.
func tagAll(t sides, repo string, first, n int) {
	t.Helper()
	var in bytes.Buffer
	tip := head(t, repo) // a name would be looked up each time
	for i := first; i < first+n; i++ {
		message := fmt.Sprintf("release %d\n", i)
		fmt.Fprintf(&in, "tag v%d\nfrom %s\ntagger a <a@example.com> %d +0000\ndata %d\n%s\n", i, tip, 1_700_000_000+i, len(message), message)
	}
	require.NoError(t, t.Source.Import(t.Context(), repo, &in))
}

// measureSet makes changes and syncs them.
func measureSet(b *testing.B, s sides, repo string, change func(sides)) {
	s.TB = b
	restartWorkers(s)
	var produced, consumed, used time.Duration
	var uploaded int64
	for b.Loop() {
		change(s)
		before := newestObject(s, repo).Key
		used -= rusage.CPU(s, s.Workers[stack.Producer].PID()) + rusage.CPU(s, s.Workers[stack.Consumer].PID())
		p, c := syncOnce(s)
		used += rusage.CPU(s, s.Workers[stack.Producer].PID()) + rusage.CPU(s, s.Workers[stack.Consumer].PID())
		produced, consumed = produced+p, consumed+c
		if newest := newestObject(s, repo); newest.Key != before {
			uploaded += newest.Size
		}
		requireInSync(s, 1)
	}
	n := float64(b.N)
	b.ReportMetric(0, "ns/op") // includes the making of changes and what is measured
	b.ReportMetric((produced+consumed).Seconds()/n, "s")
	b.ReportMetric(produced.Seconds()/n, "producer-s")
	b.ReportMetric(consumed.Seconds()/n, "consumer-s")
	b.ReportMetric(used.Seconds()/n, "cpu-s")
	b.ReportMetric(float64(uploaded)/n, "uploaded-B")
	for _, role := range stack.Roles {
		b.ReportMetric(float64(rusage.PeakMemory(s, s.Workers[role].PID()))/1e6, string(role)+"-peak-MB")
	}
}

// newestObject is the zero object if the bucket has none.
func newestObject(t sides, repo string) object.Stored {
	t.Helper()
	c, found := chainsOf(t, t.bucket)[branch("mirror/"+repo+"@refs/*")]
	if !found {
		return object.Stored{}
	}
	return c.Newest()
}
