package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

// These metrics are counted besides those of Temporal's SDK. All but the last are counters, so that they mean the same
// however many workers share the work, and whichever of them is asked.
const (
	// metricBranches counts the branches that scans found, by state.
	metricBranches = "git_partition_sync_branches"
	// metricBytes counts the bytes that steps moved, including those of failed attempts.
	metricBytes = "git_partition_sync_bytes"
	// metricFailures counts the attempts of activities that failed, by kind.
	metricFailures = "git_partition_sync_failures"
	// MetricDeliveries counts the deliveries of webhooks, by outcome.
	MetricDeliveries = "git_partition_sync_webhook_deliveries"
	// metricDropped counts the destinations of push events that were left to the schedule's next cycle, by reason.
	metricDropped = "git_partition_sync_push_events_dropped"
	// metricCatalogCreated is when the newest catalog was made that the worker has seen. It is no age, which would stand
	// still between two looks, and of all workers the greatest is right.
	metricCatalogCreated = "git_partition_sync_catalog_created_seconds"
)

// Reasons of metricDropped.
const (
	DroppedPaused   = "paused"   // no cycles are to run now
	DroppedUnknown  = "unknown"  // whether cycles are to run could not be found out
	DroppedOverflow = "overflow" // there were too many
	DroppedRunning  = "running"  // its run goes on and on
)

// CountDropped counts destinations of push events that were left to the schedule.
func CountDropped(metrics client.MetricsHandler, n int, reason string) {
	metrics.WithTags(map[string]string{"reason": reason}).Counter(metricDropped).Inc(int64(n))
}

// States of metricBranches.
const (
	stateUpToDate = "up_to_date"
	stateBehind   = "behind"
	stateRefused  = "refused" // left alone, with a reason that the report gives
)

// kindOther is the kind of failures without a name, such as a network's.
const kindOther = "Other"

// metricsOf is where an activity counts. A plan that is made outside of one, because there is no Temporal, is not counted.
func metricsOf(ctx context.Context) client.MetricsHandler {
	if !activity.IsActivity(ctx) {
		return client.MetricsNopHandler
	}
	return activity.GetMetricsHandler(ctx)
}

func countBranches(ctx context.Context, upToDate, behind, refused int) {
	for state, n := range map[string]int{stateUpToDate: upToDate, stateBehind: behind, stateRefused: refused} {
		metricsOf(ctx).WithTags(map[string]string{"state": state}).Counter(metricBranches).Inc(int64(n))
	}
}

// showCatalog tells of the newest catalog that is known.
func showCatalog(ctx context.Context, newest plan.CatalogSeen) {
	metricsOf(ctx).Gauge(metricCatalogCreated).Update(float64(newest.CreatedAt.Unix()))
}

func countFailure(ctx context.Context, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	kind := kindOther
	if failure, ok := errors.AsType[*temporal.ApplicationError](err); ok && failure.Type() != "" {
		kind = failure.Type()
	}
	metricsOf(ctx).WithTags(map[string]string{"kind": kind}).Counter(metricFailures).Inc(1)
}
