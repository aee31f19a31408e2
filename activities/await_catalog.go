package activities

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/retries"
)

// maxAwait is how long one activity waits for another catalog. Each ends with a few events of a workflow's history.
const maxAwait = 30 * time.Minute

// maxPollPause is how long is waited between two looks at most where the store does not answer, unless PollInterval is longer.
const maxPollPause = time.Minute

// maxGet is how long the store has to send a catalog.
const maxGet = 2 * time.Minute

// CatalogNews says what is new in the producer's catalog.
type CatalogNews struct {
	Seen catalog.Seen `json:"seen"`
	// Moved are the destinations that have another object. All says that it is not known which, or that they are many.
	Moved []project.Branch `json:"moved,omitempty"`
	All   bool             `json:"all,omitempty"`
}

// catalogWatch is what a worker remembers between two activities that wait for a catalog.
type catalogWatch struct {
	mu    sync.Mutex
	known knownCatalog
}

func (w *catalogWatch) knows(seen catalog.Seen) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known.Seen == seen
}

// AwaitCatalog waits until the producer's catalog names other objects than the one that was seen last. It asks the bucket for it
// every PollInterval, or never if that is 0 or signatures are not verified, and returns after a while without news.
//
// What it says has no authority: it only is a reason to plan. So it passes over what it cannot use, which plans report:
// a catalog that is not the producer's, an older one, none, and a store that does not answer.
func (c *Consumer) AwaitCatalog(ctx context.Context, seen catalog.Seen) (CatalogNews, error) {
	defer startMeter(ctx, 0).stop()
	w := catalogWaiter{Consumer: c, seen: seen}
	if c.watch.knows(seen) { // else it is read again once, to know what the next one has moved
		w.condition = seen.ETag
	}
	stop := activity.GetWorkerStopChannel(ctx)
	for end := time.After(maxAwait); ; {
		var next <-chan time.Time // nothing comes of nil
		if c.PollInterval > 0 && c.Verifier.Verifies() {
			if news := w.look(ctx); news.All || len(news.Moved) > 0 {
				return news, nil
			}
			next = time.After(w.pause())
		}
		select {
		case <-next:
		case <-end:
			return CatalogNews{Seen: w.seen}, nil
		case <-stop: // another worker goes on
			return CatalogNews{Seen: w.seen}, nil
		case <-ctx.Done():
			return CatalogNews{}, context.Cause(ctx)
		}
	}
}

// catalogWaiter is one activity's wait.
type catalogWaiter struct {
	*Consumer
	seen catalog.Seen
	// condition is the ETag of what need not be sent again: the catalog that was seen, or a later one that is of no use.
	condition string
	trouble   string // what was said last of why there is no catalog to go by
	failed    int    // looks in a row that the store did not answer
}

// pause is how long to wait before the next look: the longer, the longer the store has not answered.
func (w *catalogWaiter) pause() time.Duration {
	pause := w.PollInterval
	for n := 0; n < w.failed && pause < maxPollPause; n++ {
		pause = min(retries.Factor*pause, maxPollPause)
	}
	return pause
}

// look asks once.
func (w *catalogWaiter) look(ctx context.Context) (news CatalogNews) {
	get, done := context.WithTimeout(ctx, maxGet)
	defer done()
	content, etag, err := w.Bucket.GetIfChanged(get, catalog.Key, w.condition, catalog.MaxSize+1)
	if w.failed++; err == nil || errors.Is(err, bucket.ErrUnchanged) || errors.Is(err, bucket.ErrNotFound) {
		w.failed = 0
	}
	switch {
	case ctx.Err() != nil || errors.Is(err, bucket.ErrUnchanged):
		return news
	case errors.Is(err, bucket.ErrNotFound):
		w.condition = ""
		w.say(ctx, "The bucket has no catalog of the producer: updates wait for the next cycle", nil)
		return news
	case err != nil:
		w.say(ctx, "The producer's catalog cannot be read: updates wait for the next cycle", err)
		return news
	}
	w.condition = etag
	read, err := w.openCatalog(content)
	switch {
	case err != nil:
		w.say(ctx, "The catalog in the bucket is not this producer's: updates wait for the next cycle", err)
		return news
	case read.Sequence < w.seen.Sequence:
		w.say(ctx, "The catalog in the bucket is older than one before: updates wait for the next cycle", nil)
		return news
	}
	if w.trouble != "" {
		w.trouble = ""
		activity.GetLogger(ctx).Info("The producer's catalog is read again")
	}
	return w.compare(read, etag)
}

// openCatalog reads a catalog of the producer's own, as far as signatures and clocks tell.
func (c *Consumer) openCatalog(content []byte) (catalog.Catalog, error) {
	read, err := catalog.Read(bytes.NewReader(content), c.Identities, c.Verifier, c.Environment)
	if err != nil {
		return catalog.Catalog{}, err
	}
	return read, c.checkClock(read.CreatedAt)
}

// compare says what a catalog has moved since the one that was seen.
func (w *catalogWaiter) compare(read catalog.Catalog, etag string) (news CatalogNews) {
	later := newKnownCatalog(read, etag)
	w.watch.mu.Lock()
	last := w.watch.known
	w.watch.known = later
	w.watch.mu.Unlock()
	if later.Seen == w.seen {
		return news
	}
	moved, few := last.moved(read, later, w.Allow)
	news = CatalogNews{Seen: later.Seen, Moved: moved}
	if !few || last.Seen != w.seen || w.seen == (catalog.Seen{}) { // another worker has seen that one
		news.Moved, news.All = nil, true
	}
	w.seen = later.Seen
	return news
}

// say logs what is wrong, once as long as it lasts.
func (w *catalogWaiter) say(ctx context.Context, what string, err error) {
	if w.trouble == what {
		return
	}
	w.trouble = what
	if err != nil {
		activity.GetLogger(ctx).Warn(what, "error", err)
	} else {
		activity.GetLogger(ctx).Warn(what)
	}
}
