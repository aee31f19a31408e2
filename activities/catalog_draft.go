package activities

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// maxScanTime is how much earlier than another a look can be that is written after it. What is earlier still was seen by a clock that
// has been put back.
const maxScanTime = 15 * time.Minute

// removedFor is how long a sync is remembered that was taken away, from when its source was seen last.
const removedFor = 30 * 24 * time.Hour

// catalogDraft is a catalog in the making. Whoever changes it may have seen less than the one who has made the catalog that it
// began with: older news does not replace newer.
type catalogDraft struct {
	catalog.Catalog
	syncs   map[project.Branch]*catalog.Sync // by identity
	removed map[project.Branch]*catalog.Sync // likewise
	changed bool                             // by more than the times at which sources were seen
}

func newDraft(last catalog.Catalog) *catalogDraft {
	return &catalogDraft{Catalog: last, syncs: byIdentity(last.Syncs), removed: byIdentity(last.Removed)}
}

func byIdentity(syncs []catalog.Sync) map[project.Branch]*catalog.Sync {
	found := make(map[project.Branch]*catalog.Sync, len(syncs))
	for _, s := range syncs {
		found[s.Destination.Identity()] = &s
	}
	return found
}

// finish returns the catalog. Of syncs that were removed it has as many as there is room for.
func (d *catalogDraft) finish() catalog.Catalog {
	c := d.Catalog
	c.Syncs, c.Removed = make([]catalog.Sync, 0, len(d.syncs)), nil
	for _, s := range d.syncs {
		c.Syncs = append(c.Syncs, *s)
	}
	for _, s := range d.removed {
		if len(c.Syncs)+len(c.Removed) < catalog.MaxSyncs {
			c.Removed = append(c.Removed, *s)
		}
	}
	return c
}

func (d *catalogDraft) setInterval(seconds int) {
	d.changed = d.changed || d.IntervalSeconds != seconds
	d.IntervalSeconds = seconds
}

// limitTo makes the draft have the given syncs, and no others, and the failures of those that are refused. What is known of others is
// remembered for a while: a list of syncs may be wrong, or a worker's may be older than another's.
func (d *catalogDraft) limitTo(configured []project.Sync, at time.Time) {
	kept := make(map[project.Branch]*catalog.Sync, len(configured))
	for _, s := range configured {
		b := s.Destination
		if b.Validate() != nil || kept[b.Identity()] != nil {
			continue
		}
		known := d.syncs[b.Identity()]
		if known == nil {
			known, d.changed = d.putBack(b), true
		}
		if known.Destination != b { // its objects are of another name
			known.Destination, known.Object, d.changed = b, nil, true
		}
		kept[b.Identity()] = known
	}
	for id, s := range d.syncs {
		if kept[id] == nil {
			d.removed[id], d.changed = s, true
		}
	}
	maps.DeleteFunc(d.removed, func(_ project.Branch, s *catalog.Sync) bool { return at.Sub(s.SeenAt) > removedFor })
	d.syncs = kept
	accepted, refused := plan.ValidateSyncs(configured)
	for _, s := range accepted {
		d.recoverFrom(s.Destination, plan.KindInvalidSync, plan.KindDuplicateDestination)
	}
	for _, failure := range refused {
		if b, err := project.ParseBranch(failure.Subject); err == nil {
			d.fail(b, failure.Kind, at)
		}
	}
}

// putBack returns what was known of a sync before it was removed, but for its failure.
func (d *catalogDraft) putBack(b project.Branch) *catalog.Sync {
	id := b.Identity()
	known := cmp.Or(d.removed[id], &catalog.Sync{Destination: b})
	delete(d.removed, id)
	known.Failure = nil
	return known
}

// see notes what a plan has seen of the sources, beginning at the given time.
func (d *catalogDraft) see(looks []plan.Look, at time.Time) {
	for _, look := range looks {
		s := d.syncs[look.Destination.Identity()]
		if s == nil || s.SeenAt.After(at) && s.SeenAt.Sub(at) < maxScanTime {
			continue
		}
		kind, head := look.Failure, look.Head
		switch {
		case kind != "":
		case head.Err != nil:
			kind = kindOf(head.Err)
		case head.Commit == "":
			kind = plan.KindBranchNotFound
		}
		if head.Err == nil && head.Commit != "" {
			if s.State != head.Commit {
				s.State, s.MovedAt, d.changed = head.Commit, at, true
			}
			s.SeenAt = at
		}
		since := look.Since
		if since.Unix() <= 0 || since.After(at) { // it is not known, or nothing that anybody has seen
			since = at
		}
		switch {
		case kind != "":
			d.fail(look.Destination, kind, since)
		case look.Moves: // how its last run ended is still true
			d.recoverFrom(look.Destination, plan.KindUnreachable)
		default:
			d.recover(look.Destination)
		}
	}
}

// fail notes that a sync fails. It has failed since the first time of the same kind.
func (d *catalogDraft) fail(b project.Branch, kind string, since time.Time) {
	s := d.syncs[b.Identity()]
	if s != nil && (s.Failure == nil || s.Failure.Kind != kind) {
		s.Failure, d.changed = &catalog.Failure{Kind: kind, Since: since.UTC()}, true
	}
}

// failRun notes how a run has failed, unless there is newer news: that the source cannot be reached at all.
func (d *catalogDraft) failRun(b project.Branch, kind string, at time.Time) {
	if s := d.syncs[b.Identity()]; s != nil && s.Failure != nil && s.Failure.Kind == plan.KindUnreachable {
		return
	}
	d.fail(b, kind, at)
}

// recover notes that a sync does not fail.
func (d *catalogDraft) recover(b project.Branch) {
	s := d.syncs[b.Identity()]
	if s != nil && s.Failure != nil {
		s.Failure, d.changed = nil, true
	}
}

// recoverFrom notes that a sync no longer fails in some ways.
func (d *catalogDraft) recoverFrom(b project.Branch, kinds ...string) {
	if s := d.syncs[b.Identity()]; s != nil && s.Failure != nil && slices.Contains(kinds, s.Failure.Kind) {
		d.recover(b)
	}
}

// renew notes which objects are in the bucket, by the identities of their destinations.
func (d *catalogDraft) renew(objects map[project.Branch]catalog.Object) {
	for b, o := range objects {
		s := d.syncs[b]
		if s != nil && (s.Object == nil || s.Object.Chain != o.Chain && supersedes(o, *s.Object)) {
			s.Object, d.changed = &o, true
		}
	}
}

// supersedes tells whether an object was made after the last one.
func supersedes(next, last catalog.Object) bool { return next.MadeAt.After(madeAfter(last)) }

// madeAfter is the time after which the object that follows one has to be made. The time of one that consumers refused when it came
// is not followed: a wrong clock has made it.
func madeAfter(o catalog.Object) time.Time {
	if plan.IsOfFuture(o.MadeAt, o.Modified) {
		return time.Time{}
	}
	return o.MadeAt
}
