package service

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/fleet"
)

// gathered is what Prometheus reads of a worker, without the probes around it.
func gathered(t testing.TB, m *metrics) string {
	t.Helper()
	_, page := probe(t, m.page, "/metrics")
	return page
}

// viewed are the metrics of a consumer that has the view, and its page.
func viewed(t testing.TB, view fleet.View, now time.Time) (*metrics, string) {
	t.Helper()
	m, err := newMetrics("consumer", "fedramp")
	require.NoError(t, err)
	m.registry.MustRegister(newViewMetrics("consumer", func() (fleet.View, bool) { return view, !view.ReadAt.IsZero() }, func() time.Time { return now }))
	return m, gathered(t, m)
}

func someView(now time.Time) fleet.View {
	ago := func(seconds int) time.Time { return now.Add(-time.Duration(seconds) * time.Second) }
	return fleet.View{
		Role: "consumer", ReadAt: ago(3), CycleEnded: ago(60), CycleTook: 90 * time.Second, Scheduled: true, OldestLag: ago(700),
		Syncs: []fleet.Sync{
			{Destination: "a/app@main", State: fleet.InSync, LastInSync: ago(61)},
			{Destination: "b/app@main", State: fleet.Behind, BehindSince: ago(500), LastInSync: ago(500)},
			{Destination: "c/app@main", State: fleet.Failing, BehindSince: ago(700), Failure: &fleet.Failure{Kind: "PushRejected"}},
			{Destination: "d/app@main", State: fleet.Failing, Failure: &fleet.Failure{Kind: "Unreachable"}},
			{Destination: "e/app@main", State: fleet.Paused, BehindSince: ago(900), Failure: &fleet.Failure{Kind: "DiskFull"}, Pause: &fleet.Pause{}},
			{Destination: "f/app@main", State: fleet.Never},
		},
		More: map[fleet.State]int{fleet.InSync: 5},
		Failures: []fleet.SideFailure{
			{Subject: "catalog", Failure: fleet.Failure{Kind: "CatalogStale"}},
			{Subject: `"` + strings.Repeat("k", 300) + `1"`, Failure: fleet.Failure{Kind: "UndecodableKey"}},
			{Subject: `"` + strings.Repeat("k", 300) + `2"`, Failure: fleet.Failure{Kind: "UndecodableKey"}},
		},
		Bucket: fleet.BucketUse{Snapshots: fleet.Use{Objects: 2, Bytes: 1000}, Increments: fleet.Use{Objects: 7, Bytes: 70}, LongestChain: 5},
	}
}

func TestViewMetrics(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	_, page := viewed(t, someView(now), now)
	for _, want := range []string{
		`in_sync{destination="a/app@main",role="consumer"} 1`,
		`in_sync{destination="b/app@main",role="consumer"} 0`,
		`in_sync{destination="c/app@main",role="consumer"} 0`,
		`in_sync{destination="f/app@main",role="consumer"} 0`,
		`behind_seconds{destination="a/app@main",role="consumer"} 0`,
		`behind_seconds{destination="b/app@main",role="consumer"} 500`,
		`behind_seconds{destination="c/app@main",role="consumer"} 700`,
		`last_in_sync_timestamp_seconds{destination="a/app@main",role="consumer"} 1.799999939e+09`,
		`failing{destination="c/app@main",kind="PushRejected",role="consumer"} 1`,
		`failing{destination="d/app@main",kind="Unreachable",role="consumer"} 1`,
		`paused{destination="e/app@main",role="consumer"} 1`,
		`destinations_without_series{role="consumer"} 5`,
		`syncs{role="consumer",state="in_sync"} 6`,
		`syncs{role="consumer",state="behind"} 1`,
		`syncs{role="consumer",state="never_arrived"} 1`,
		`syncs{role="consumer",state="paused"} 1`,
		`syncs{role="consumer",state="failing"} 2`,
		`oldest_lag_seconds{role="consumer"} 700`,
		`side_failing{kind="CatalogStale",role="consumer",subject="catalog"} 1`,
		`last_cycle_timestamp_seconds{role="consumer"} 1.79999994e+09`,
		`last_cycle_duration_seconds{role="consumer"} 90`,
		`scheduled{role="consumer"} 1`,
		`schedule_paused{role="consumer"} 0`,
		`status_timestamp_seconds{role="consumer"} 1.799999997e+09`,
		`bucket_bytes{kind="snapshot",role="consumer"} 1000`,
		`bucket_objects{kind="increment",role="consumer"} 7`,
		`bucket_objects{kind="other",role="consumer"} 0`,
		`longest_chain_objects{role="consumer"} 5`,
	} {
		require.Contains(t, page, "\ngit_partition_sync_"+want+"\n")
	}
	for _, never := range []string{`behind_seconds{destination="d/`, `behind_seconds{destination="e/`, `in_sync{destination="e/`, `failing{destination="e/`, `last_in_sync_timestamp_seconds{destination="b/app@main",role="consumer"} 0`} {
		require.NotContains(t, page, "git_partition_sync_"+never, "what is not known, and what is paused")
	}
	require.Len(t, regexp.MustCompile(`\ngit_partition_sync_side_failing{`).FindAllString(page, -1), 2, "names that are cut may be the same")
}

// A worker that cannot read how the syncs are says nothing of them: what stands still looks like what is.
func TestStaleViewHasNoMetrics(t *testing.T) {
	_, page := viewed(t, fleet.View{}, time.Now())
	require.NotContains(t, page, "git_partition_sync_syncs")
	require.NotContains(t, page, "git_partition_sync_scheduled")
	require.Contains(t, page, "git_partition_sync_build_info")
}

// manySyncs is a view of so many syncs, of which the last few are behind.
func manySyncs(n, behind int, now time.Time) fleet.View {
	view := fleet.View{ReadAt: now, CycleEnded: now}
	for i := range n {
		s := fleet.Sync{Destination: fmt.Sprintf("group/project-%05d@main", i), State: fleet.InSync, LastInSync: now}
		if i >= n-behind {
			s.State, s.BehindSince = fleet.Behind, now.Add(-time.Minute)
		}
		view.Syncs = append(view.Syncs, s)
	}
	return view
}

func TestSeriesAreBounded(t *testing.T) {
	now := time.Now()
	_, page := viewed(t, manySyncs(10_000, 30, now), now)
	series := regexp.MustCompile(`(?m)^git_partition_sync_\w+\{[^\n]*$`).FindAllString(page, -1)
	require.Less(t, len(series), 3*maxDestinations+60)
	count := func(pattern string) int {
		return len(regexp.MustCompile(`(?m)^git_partition_sync_`+pattern).FindAllString(page, -1))
	}
	require.Equal(t, maxDestinations, count(`in_sync\{`))
	require.Equal(t, 30, count(`in_sync\{.*} 0$`), "those that are not in sync are always there")
	require.Equal(t, 1, count(`destinations_without_series\{role="consumer"} 8000$`))
	require.Equal(t, 1, count(`syncs\{role="consumer",state="in_sync"} 9970$`), "the sums are of all")
	t.Logf("%d series, %d KiB", len(series), len(page)>>10)
}

// BenchmarkScrape reads the page of a worker, as Prometheus does, with series for 1,000 syncs, and with the most there may be.
func BenchmarkScrape(b *testing.B) {
	for _, syncs := range []int{1000, maxDestinations, 50_000} {
		b.Run(fmt.Sprintf("syncs=%d", syncs), func(b *testing.B) {
			now := time.Now()
			m, page := viewed(b, manySyncs(syncs, 10, now), now)
			for b.Loop() {
				gathered(b, m)
			}
			b.ReportMetric(float64(len(page))/(1<<10), "KiB/scrape")
		})
	}
}
