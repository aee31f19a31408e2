package activities

import (
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// maxScanTime is how much earlier than another a look can be that is written after it. What is earlier still was seen by a clock that
// has been put back.
const maxScanTime = 15 * time.Minute

// catalogDraft is a catalog in the making. Whoever changes it may have seen less than the one who has made the catalog that it
// began with: older news does not replace newer.
type catalogDraft struct {
	catalog.Catalog
	syncs   map[project.Branch]*catalog.Sync // by identity
	changed bool                             // by more than the times at which sources were seen
}

func newDraft(last catalog.Catalog) *catalogDraft {
	d := &catalogDraft{Catalog: last, syncs: make(map[project.Branch]*catalog.Sync, len(last.Syncs))}
	d.Syncs = slices.Clone(last.Syncs)
	for i := range d.Syncs {
		d.syncs[d.Syncs[i].Destination.Identity()] = &d.Syncs[i]
	}
	return d
}

// finish returns the catalog.
func (d *catalogDraft) finish() catalog.Catalog {
	c := d.Catalog
	c.Syncs = make([]catalog.Sync, 0, len(d.syncs))
	for _, s := range d.syncs {
		c.Syncs = append(c.Syncs, *s)
	}
	return c
}

func (d *catalogDraft) setInterval(seconds int) {
	d.changed = d.changed || d.IntervalSeconds != seconds
	d.IntervalSeconds = seconds
}

// limitTo makes the draft have the given syncs, and no others, and the failures of those that are refused.
func (d *catalogDraft) limitTo(configured []project.Sync, at time.Time) {
	kept := make(map[project.Branch]*catalog.Sync, len(configured))
	for _, s := range configured {
		b := s.Destination
		if b.Validate() != nil {
			continue
		}
		known := d.syncs[b.Identity()]
		switch {
		case known == nil:
			known, d.changed = &catalog.Sync{Destination: b}, true
		case known.Destination != b: // its objects are of another name
			known.Destination, known.Object, d.changed = b, nil, true
		}
		kept[b.Identity()] = known
	}
	d.changed = d.changed || len(kept) != len(d.syncs)
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
