package service

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/activities"
)

func TestMetricsPage(t *testing.T) {
	m, err := newMetrics("producer", "fedramp")
	require.NoError(t, err)
	m.handler.WithTags(map[string]string{"kind": "DiskFull"}).Counter("failures").Inc(2)
	m.handler.Timer("step_latency").Record(20 * time.Minute)

	h := &health{metrics: m.page}
	status, text := probe(t, h, "/metrics")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, `failures_total{kind="DiskFull",role="producer"} 2`)
	require.Contains(t, text, `step_latency_seconds_bucket{role="producer",le="300"} 0`)
	require.Contains(t, text, `step_latency_seconds_bucket{role="producer",le="1800"} 1`, "longer than the SDK's own buckets reach")
	require.Contains(t, text, "process_resident_memory_bytes ")
}

// Two sides in one process, as in tests, do not share what they count.
func TestMetricsAreNotGlobal(t *testing.T) {
	producer, err := newMetrics("producer", "fedramp")
	require.NoError(t, err)
	consumer, err := newMetrics("consumer", "fedramp")
	require.NoError(t, err)
	producer.handler.Counter("failures").Inc(1)
	_, text := probe(t, consumer.page, "/metrics")
	require.NotContains(t, text, "failures")
}

// The task queue of a worker alone has a random name, which would begin new series with each start.
func TestOwnQueueHasASteadyLabel(t *testing.T) {
	m, err := newMetrics("producer", "fedramp")
	require.NoError(t, err)
	handler := steadyQueue{m.handler, "git-partition-sync-producer/host/", "git-partition-sync-producer/own"}
	for _, queue := range []string{"git-partition-sync-producer/host/worker-1", "git-partition-sync-producer"} {
		handler.WithTags(map[string]string{"namespace": "default"}).WithTags(map[string]string{"task_queue": queue}).WithTags(map[string]string{"kind": "x"}).Counter("calls").Inc(1)
	}
	page := gathered(t, m)
	require.Contains(t, page, `calls_total{kind="x",namespace="default",role="producer",task_queue="git-partition-sync-producer/own"} 1`)
	require.Contains(t, page, `calls_total{kind="x",namespace="default",role="producer",task_queue="git-partition-sync-producer"} 1`)
	require.NotContains(t, page, "worker-1")
}

// What activities count has texts, too, although Temporal's handler knows none.
func TestCountedMetricsHaveHelp(t *testing.T) {
	m, err := newMetrics("producer", "fedramp")
	require.NoError(t, err)
	for name, help := range activities.Help {
		m.handler.Counter(name).Inc(1)
		require.Contains(t, gathered(t, m), "# HELP "+name+"_total "+help+"\n")
	}
}
