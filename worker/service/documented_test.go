package service

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
)

// ours are metrics that Temporal's SDK and Prometheus's library do not know.
var ours = regexp.MustCompile(`^(git_partition_sync|qontract_reconcile)_`)

// documented are the labels of our metrics, by names, as the document has them.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	word, all := regexp.MustCompile("`([a-z_]+)`"), map[string][]string{}
	for line := range strings.SplitSeq(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		if name := word.FindStringSubmatch(cells[1]); name != nil && ours.MatchString(name[1]) {
			require.NotContains(t, all, name[1])
			all[name[1]] = []string{}
			for _, label := range word.FindAllStringSubmatch(cells[2], -1) {
				all[name[1]] = append(all[name[1]], label[1])
			}
			slices.Sort(all[name[1]])
		}
	}
	return all
}

// servedMetrics are all of our metrics that a worker can have, by names.
func servedMetrics(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	now := time.Now()
	m, _ := viewed(t, someView(now), now)
	m.cycles.record(workflow.Execution{ID: "a cycle"}, time.Second, false)
	m.showWorkdir(1, 2)
	for name := range activities.Help {
		switch {
		case strings.HasSuffix(name, "_seconds"):
			m.handler.Gauge(name).Update(1)
		case name == "git_partition_sync_crossing":
			m.handler.Timer(name).Record(time.Second)
		default:
			m.handler.Counter(name).Inc(1)
		}
	}
	families, err := m.registry.Gather()
	require.NoError(t, err)
	all := map[string]*dto.MetricFamily{}
	for _, f := range families {
		if ours.MatchString(f.GetName()) {
			all[f.GetName()] = f
		}
	}
	return all
}

// The document has each of our metrics, and no other. Labels of those that activities count are compared where activities run:
// TestMetricsOfALife in e2e.
func TestMetricsAreDocumented(t *testing.T) {
	documented, served := documented(t), servedMetrics(t)
	for name, f := range served {
		require.NotEmpty(t, f.GetHelp(), name)
		labels, ok := documented[name]
		require.True(t, ok, "%s is not in docs/metrics.md", name)
		var actual []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			if l.GetName() != "role" {
				actual = append(actual, l.GetName())
			}
		}
		counted := slices.ContainsFunc([]string{"", "_total", "_seconds"}, func(suffix string) bool {
			base, ok := strings.CutSuffix(name, suffix)
			return ok && activities.Help[base] != ""
		})
		if !counted && strings.HasPrefix(name, metricPrefix) {
			require.ElementsMatch(t, labels, actual, name)
		}
	}
	for name := range documented {
		require.Contains(t, served, name, "docs/metrics.md names it")
	}
}
