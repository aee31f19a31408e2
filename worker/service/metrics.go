package service

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
)

// histogramBounds are the upper bounds of histograms in seconds: from one call of Temporal to the transfer of a large
// repository.
var histogramBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 21600}

// metrics are where a worker counts.
type metrics struct {
	handler client.MetricsHandler // for Temporal's SDK and the activities
	cycles  *cycleMetrics
	page    http.Handler // from which Prometheus reads all of it
}

// newMetrics makes the metrics of a role. The metrics of its cycles have the shard as a label.
func newMetrics(role, shard string) (*metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	seconds := metric.NewView(metric.Instrument{Unit: "s"}, metric.Stream{
		Aggregation: metric.AggregationExplicitBucketHistogram{Boundaries: histogramBounds},
	})
	provider := metric.NewMeterProvider(metric.WithReader(exporter), metric.WithView(seconds))
	handler := opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter:                provider.Meter("worker"),
		InitialAttributes:    attribute.NewSet(attribute.String("role", role)),
		UseMonotonicCounters: true,
	})
	return &metrics{handler, newCycleMetrics(role, shard, registry), promhttp.HandlerFor(registry, promhttp.HandlerOpts{})}, nil
}
