package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

// These metrics are counted besides those of Temporal's SDK. All but the last are counters: those of several workers add up. How the
// syncs are, no worker counts: each reads it, and all tell the same (worker/service/views.go).
const (
	// metricBranches counts the branches that scans found, by state.
	metricBranches = "git_partition_sync_branches"
	// metricBytes counts the bytes that steps moved, including those of failed attempts.
	metricBytes = "git_partition_sync_bytes"
	// metricLFSObjects counts the LFS objects that syncs needed, by what became of them.
	metricLFSObjects = "git_partition_sync_lfs_objects"
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

// metricCrossing is how long objects took from when their manifests were made, by the producer's clock, to when the destination was
// seen to have what is in them.
const metricCrossing = "git_partition_sync_crossing"

// Help says what all these metrics are, by the names by which they are counted.
var Help = map[string]string{
	metricBranches:       "Syncs that scans of cycles found, by state.",
	metricBytes:          "Bytes that steps moved, those of failed attempts included.",
	metricLFSObjects:     "LFS objects that syncs needed, by what became of them; those of failed attempts included.",
	metricFailures:       "Attempts of activities that failed, by kind.",
	MetricDeliveries:     "Deliveries of webhooks, by outcome.",
	metricDropped:        "Destinations of push events that were left to the next cycle, by reason.",
	metricCatalogCreated: "When the newest of the producer's catalogs was made that this worker has seen, in seconds since 1970.",
	metricCrossing:       "Seconds from an object's manifest, by the producer's clock, to the destination that has what is in the object.",
}

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

// Results of metricLFSObjects.
const (
	lfsSent    = "sent"
	lfsThere   = "there"    // already
	lfsMissing = "missing"  // at the source
	lfsLeftOut = "left_out" // with LFS=false
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

func countLFS(ctx context.Context, result string, n int) {
	metricsOf(ctx).WithTags(map[string]string{"result": result}).Counter(metricLFSObjects).Inc(int64(n))
}

// showCatalog tells of the newest catalog that is known.
func showCatalog(ctx context.Context, newest plan.CatalogSeen) {
	metricsOf(ctx).Gauge(metricCatalogCreated).Update(float64(newest.CreatedAt.Unix()))
}

// showCrossing notes that something has arrived that is new at the destination.
func showCrossing(ctx context.Context, took time.Duration) {
	metricsOf(ctx).Timer(metricCrossing).Record(max(0, took))
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
