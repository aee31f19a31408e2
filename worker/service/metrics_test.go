package service

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
