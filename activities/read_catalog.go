package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// WithoutCatalog is the warning on plans of a consumer that verifies signatures and has never seen a catalog.
const WithoutCatalog = "the bucket has no catalog: that objects are withheld, or that the producer has stopped, is not noticed; upgrade the producer, or set its SIGNING_KEY"

const (
	// staleIntervals is after how many of the producer's intervals a catalog counts as stale, unless the operator says
	// after how long. Cycles may be skipped, and one may be long.
	staleIntervals = 3
	// staleGrace is added to that, because the clocks of both sides differ.
	staleGrace = 5 * time.Minute

	// maxCatalogError is how many characters are shown of why a catalog is not believed.
	maxCatalogError = 600
)

// consumerCatalog is what a look at the producer's catalog has yielded.
type consumerCatalog struct {
	// current is what to go by: a catalog of the producer's own, be it an old one; nil if there is none.
	current *catalog.Catalog
	// newest is the newest one that is known of, now or from before.
	newest plan.CatalogSeen
	// problems are failures of the cycle. The syncs go on with what there is.
	problems []plan.Failure
	warning  string
}

// readCatalog reads the producer's catalog and compares it with the newest one that is remembered. A consumer that does not
// verify signatures takes no notice of it.
func (c *Consumer) readCatalog(ctx context.Context, remembered plan.CatalogSeen) (look consumerCatalog, err error) {
	look.newest = remembered
	if !c.Verifier.Verifies() {
		return look, nil
	}
	encrypted, err := c.getCatalog(ctx)
	switch {
	case errors.Is(err, bucket.ErrNotFound) && remembered == (plan.CatalogSeen{}):
		look.warning = WithoutCatalog
		return look, nil
	case errors.Is(err, bucket.ErrNotFound):
		look.fail(plan.KindCatalogMissing, "the bucket has no catalog, and had one of %s", timeOfCatalog(remembered))
		return look, nil
	case err != nil && (ctx.Err() != nil || isTriedAgain(ctx, err)):
		return look, err
	case err != nil: // what is wrong with this object alone must not stop all others
		look.fail(kindOf(err), "the catalog cannot be read, and nobody notices what is withheld meanwhile: %s", foreign.Line(err.Error(), maxCatalogError))
		return look, nil
	}
	read, err := c.openCatalog(encrypted)
	if err != nil {
		look.fail(plan.KindCatalogInvalid, "%s", foreign.Line(err.Error(), maxCatalogError))
		return look, nil
	}
	look.judge(read, c.MaxCatalogAge, c.Clock())
	showCatalog(ctx, look.newest)
	return look, nil
}

// getCatalog reads the object. A store that sends it too slowly counts as silent.
func (c *Consumer) getCatalog(ctx context.Context) ([]byte, error) {
	get, done := context.WithTimeout(ctx, maxGet)
	defer done()
	start := c.Bucket.OpenStart(get, catalog.Key, catalog.MaxSize) // all of it with one request: it is replaced as a whole
	defer start.Close()                                            //nolint:errcheck // it was only read
	encrypted, err := io.ReadAll(io.LimitReader(start, catalog.MaxSize))
	if err != nil && get.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: it was not sent within %s", httpclient.ErrSilent, maxGet)
	}
	return encrypted, err
}

// isTriedAgain tells whether Temporal runs the activity again after an error that may pass by itself. Of its attempts, the last ones
// do without what this is about.
func isTriedAgain(ctx context.Context, err error) bool {
	const attempts = 2
	return mayPass(err) && activity.IsActivity(ctx) && activity.GetInfo(ctx).Attempt <= attempts
}

// judge takes in a catalog of the producer's own. One that is older than what was seen before, or too old, still is the
// least that the bucket has to have.
func (l *consumerCatalog) judge(read catalog.Catalog, maxAge time.Duration, now time.Time) {
	l.current = &read
	if read.Sequence < l.newest.Sequence {
		l.fail(plan.KindCatalogReplayed, "the catalog in the bucket is of %s, and there was a later one before, of %s",
			timeOfCatalog(seen(read)), timeOfCatalog(l.newest))
	} else {
		l.newest = seen(read)
	}
	if maxAge == 0 {
		maxAge = staleIntervals*time.Duration(read.IntervalSeconds)*time.Second + staleGrace
	}
	if age := now.Sub(read.CreatedAt); age > maxAge {
		l.fail(plan.KindCatalogStale, "the catalog in the bucket is of %s, %s old, and none may be older than %s",
			timeOfCatalog(seen(read)), age.Truncate(time.Second), maxAge)
	}
}

func (l *consumerCatalog) fail(kind, format string, args ...any) {
	l.problems = append(l.problems, plan.Failure{Subject: plan.SubjectCatalog, Kind: kind, Reason: fmt.Sprintf(format, args...)})
}

func seen(c catalog.Catalog) plan.CatalogSeen {
	return plan.CatalogSeen{Sequence: c.Sequence, CreatedAt: c.CreatedAt}
}

func timeOfCatalog(c plan.CatalogSeen) string { return c.CreatedAt.UTC().Format(time.RFC3339) }
