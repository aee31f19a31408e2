package service

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"

	"github.com/app-sre/git-partition-sync/activities"
)

// histogramBounds are the upper bounds of histograms in seconds: from one call of Temporal to the transfer of a large
// repository.
var histogramBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 21600}

// maxScrapes is how many are answered at a time: the page may have 10,000 series, and whoever asks very often must not take the memory
// and the processors that syncs need.
const maxScrapes = 8

// metrics are where a worker counts.
type metrics struct {
	handler  client.MetricsHandler // for Temporal's SDK and the activities
	cycles   *cycleMetrics
	workdir  *prometheus.GaugeVec
	registry *prometheus.Registry
	page     http.Handler // from which Prometheus reads all of it
}

// newMetrics makes the metrics of a role. The metrics of its cycles have the shard as a label.
func newMetrics(role, shard string) (*metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	provider := metric.NewMeterProvider(metric.WithReader(exporter), metric.WithView(describe))
	handler := opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter:                provider.Meter("worker"),
		InitialAttributes:    attribute.NewSet(attribute.String("role", role)),
		UseMonotonicCounters: true,
	})
	// What one collector cannot tell must not hide what all others do.
	page := promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes})
	workdir := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: metricPrefix + "workdir_bytes", Help: "Bytes of this worker's files in its work directory, and bytes that are free there besides.",
		ConstLabels: prometheus.Labels{"role": role},
	}, []string{"kind"})
	registry.MustRegister(workdir, newBuildInfo(role))
	return &metrics{handler, newCycleMetrics(role, shard, registry), workdir, registry, page}, nil
}

func (m *metrics) showWorkdir(used, free uint64) {
	m.workdir.WithLabelValues("used").Set(float64(used))
	m.workdir.WithLabelValues("free").Set(float64(free))
}

// describe gives metrics their texts, which Temporal's handler has no place for, and histograms their bounds.
func describe(i metric.Instrument) (metric.Stream, bool) {
	s := metric.Stream{Name: i.Name, Description: cmp.Or(activities.Help[i.Name], i.Description), Unit: i.Unit}
	if i.Unit == "s" {
		s.Aggregation = metric.AggregationExplicitBucketHistogram{Boundaries: histogramBounds}
	}
	return s, true
}

// labelTaskQueue is a label of metrics of Temporal's SDK.
const labelTaskQueue = "task_queue"

// steadyQueue gives the task queues of single workers on a host a label that is the same after each start: their names are not, and each
// start would begin new series.
type steadyQueue struct {
	client.MetricsHandler
	prefix, label string
}

// WithTags implements [client.MetricsHandler].
func (h steadyQueue) WithTags(tags map[string]string) client.MetricsHandler {
	if strings.HasPrefix(tags[labelTaskQueue], h.prefix) {
		tags = maps.Clone(tags)
		tags[labelTaskQueue] = h.label
	}
	return steadyQueue{h.MetricsHandler.WithTags(tags), h.prefix, h.label}
}
