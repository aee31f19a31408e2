package activities

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// defaultInterval is how often cycles are taken to begin when nobody has said it.
const defaultInterval = 5 * 60 // seconds

// ledger is the producer's last catalog, and what an activity finds out for the next one. Chains in the bucket are compared with it:
// what neither the catalog nor the last run names is not known to be this producer's. A nil ledger is that of a producer without a
// catalog: it knows nothing, and nothing is written.
type ledger struct {
	producer   *Producer
	configured []project.Sync
	began      time.Time // when the activity began, by this clock
	last       ownCatalog
	syncs      map[project.Branch]catalog.Sync // of the last catalog, also those that were removed, by identity
	keys       string                          // those that objects are made with now
	// adoptedBefore is as in the catalog.
	adoptedBefore time.Time
	maxAsked      int  // how many runs may be asked
	asksFailed    bool // those that may have failed are asked, too

	// renewed are the objects that the last catalog does not have, by the identities of their destinations, and ends the ends of the
	// runs that were asked.
	renewed map[project.Branch]catalog.Object
	ends    map[project.Branch]runEnd
}

// openLedger reads the last catalog. The bucket is to be listed afterwards, so that no listing is older than it.
func (p *Producer) openLedger(ctx context.Context, configured []project.Sync) (*ledger, error) {
	if !p.keepsCatalog() {
		return nil, nil
	}
	last, err := p.readCatalog(ctx)
	if err != nil {
		return nil, err
	}
	l := &ledger{
		producer: p, configured: configured, began: p.Clock().UTC(), last: last, syncs: make(map[project.Branch]catalog.Sync, len(last.Syncs)),
		keys: p.keysFingerprint(), adoptedBefore: last.AdoptedBefore, maxAsked: maxAskedByPlan,
		renewed: map[project.Branch]catalog.Object{}, ends: map[project.Branch]runEnd{},
	}
	for _, s := range slices.Concat(last.Removed, last.Syncs) {
		l.syncs[s.Destination.Identity()] = s
	}
	if last.etag != "" {
		return l, nil
	}
	now, err := p.Bucket.Now(ctx)
	if now.IsZero() { // the store does not tell
		now = p.Clock()
	}
	l.adoptedBefore = now.Add(-adoptionAge).UTC()
	return l, err
}

// lastSeen is what the last catalog says of a destination; the zero value if it does not know it.
func (l *ledger) lastSeen(b project.Branch) catalog.Sync {
	if l == nil {
		return catalog.Sync{}
	}
	return l.syncs[b.Identity()]
}

// save writes the next catalog, with what change adds to it. Cycles begin every interval seconds; 0 if that is not known.
func (l *ledger) save(ctx context.Context, interval int, change func(*catalogDraft)) error {
	return l.producer.writeCatalog(ctx, l.last, func(d *catalogDraft) {
		if d.Sequence == 0 { // the first one
			d.AdoptedBefore = l.adoptedBefore
		}
		d.limitTo(l.configured, l.began)
		d.renew(l.renewed)
		change(d)
		wanted := max(cmp.Or(interval, d.IntervalSeconds, defaultInterval), int(l.producer.CatalogInterval.Seconds()))
		d.setInterval(min(wanted, catalog.MaxInterval))
	})
}

// closePage writes the next catalog with what a plan has seen. That it could not be written is a failure of its own.
func (l *ledger) closePage(ctx context.Context, page *plan.Page[plan.Upload], interval int) {
	if l == nil {
		return
	}
	if l.last.unusable != nil {
		page.Warn(fmt.Sprintf("the catalog in the bucket is not this producer's: %v; a new one takes its place", l.last.unusable))
	}
	err := l.save(ctx, interval, func(d *catalogDraft) { d.see(page.Looks(), l.began) })
	if err != nil {
		failBucket(page, err)
	}
}

// failBucket adds to a plan that something in the bucket that is of no single branch could not be read or written.
func failBucket[M any](page *plan.Page[M], err error) {
	page.Fail(plan.Failure{Subject: "bucket", Kind: kindOf(err), Reason: WithRemedy(kindOf(err), err.Error())})
}
