package activities

import (
	"context"
	"errors"
	"time"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	// adoptionAge is how old objects have to be, by the bucket's clock, to be taken as this producer's when there is no catalog yet.
	// What is younger may be of a run that has not ended.
	adoptionAge = 10 * time.Minute
	// maxAskedByPlan is how many runs a plan asks because of what is in the bucket. The next plans ask the others.
	maxAskedByPlan = 1000
)

// Why a snapshot takes the place of a chain, in words.
const (
	notUploaded = "the object in the bucket is not the one that was uploaded"
	otherKeys   = "its objects were made with other keys"
	ofFuture    = "its object says that it was made in the future"
)

// compare finds out about the chains of some destinations. Where one is not the catalog's, the last run is asked what it has
// uploaded. Those in question that come first are asked first.
func (l *ledger) compare(ctx context.Context, chains map[project.Branch]chain.Chain, destinations []project.Branch) {
	if l == nil {
		return
	}
	own := map[project.Branch]chain.Chain{} // by identity
	for b, c := range chains {
		if isOwn(c) {
			own[b.Identity()] = c
		}
	}
	var asked, maybeFailed []project.Branch
	for _, b := range destinations {
		id := b.Identity()
		c, exists := own[id]
		if exists && !l.knows(id, c) && l.adopts(id, c) {
			l.renewed[id] = describe(c)
		}
		switch {
		case exists && !l.knows(id, c):
			asked = append(asked, b)
		case l.asksFailed && l.mayHaveFailed(id, c):
			maybeFailed = append(maybeFailed, b)
		}
	}
	asked = append(asked, maybeFailed...) // what was uploaded counts more
	asked = asked[:min(len(asked), l.maxAsked-len(l.ends))]
	for b, end := range l.producer.LastRuns.ends(ctx, asked, endQueryTimeout) {
		id := b.Identity()
		if c, exists := own[id]; exists && !l.knows(id, c) && end.uploaded.isNewestOf(c) {
			switch same, err := l.producer.hasContent(ctx, c.Newest(), end.uploaded.ETag); {
			case err != nil:
				end.unknown = true
			case same:
				l.vouch(id, c, end.uploaded)
			}
		}
		l.ends[id] = end
	}
}

// hasContent tells whether a listed object has an ETag. Stores that list none, or another one than an object has, are asked for the
// object's own.
func (p *Producer) hasContent(ctx context.Context, listed object.Stored, etag string) (bool, error) {
	if chain.BareETag(listed.ETag) == chain.BareETag(etag) {
		return true, nil
	}
	now, err := p.Bucket.Stat(ctx, listed.Key)
	if errors.Is(err, bucket.ErrNotFound) {
		return false, nil
	}
	return chain.BareETag(now.ETag) == chain.BareETag(etag), err
}

// vouch takes in what a run has uploaded, unless it says that it was made before what the destination had.
func (l *ledger) vouch(id project.Branch, c chain.Chain, uploaded Uploaded) {
	o := describe(c)
	o.MadeAt, o.ManifestSHA256, o.Keys = uploaded.CreatedAt, uploaded.ManifestSHA256, uploaded.Keys
	o.LFSObjects, o.LFSSize = uploaded.LFSObjects, uploaded.LFSSize
	if before := l.syncs[id].Object; before == nil || supersedes(o, *before) {
		l.renewed[id] = o
	}
}

// mayHaveFailed tells whether the last run of a destination may have failed: the bucket does not have what the source was last seen at.
func (l *ledger) mayHaveFailed(id project.Branch, c chain.Chain) bool {
	s := l.syncs[id]
	return s.Failure != nil || s.State != "" && (len(c.Objects) == 0 || c.Tip() != s.State)
}

// isOwn tells whether a chain can be one that this producer has uploaded. All others get a snapshot in any case.
func isOwn(c chain.Chain) bool { return !c.ByPredecessor() && !c.Broken() }

// describe is what a listing says of a chain's newest object.
func describe(c chain.Chain) catalog.Object {
	o := c.Newest()
	return catalog.Object{Commit: o.Commit, Base: o.Base, Size: o.Size, Modified: o.Modified.UTC(), Chain: chain.Hash(c.Objects)}
}

// isNewestOf tells whether a chain is what the run that has uploaded this has left, but for its content: its object is the newest, on
// the base that the plan has seen.
func (u Uploaded) isNewestOf(c chain.Chain) bool {
	o, base := c.Newest(), c.Objects[:len(c.Objects)-1]
	return u.ETag != "" && u.Keys != "" && u.Key == o.Key && u.Size == o.Size && u.Modified.Unix() == o.Modified.Unix() &&
		u.BaseChain == chain.Hash(base)
}

// object is what is known of a destination's newest object; nil for nothing.
func (l *ledger) object(id project.Branch) *catalog.Object {
	if o, ok := l.renewed[id]; ok {
		return &o
	}
	return l.syncs[id].Object
}

func (l *ledger) knows(id project.Branch, c chain.Chain) bool {
	o := l.object(id)
	return o != nil && o.Chain == chain.Hash(c.Objects)
}

// adopts tells whether a chain was there before the first catalog, and its destination is in none yet.
func (l *ledger) adopts(id project.Branch, c chain.Chain) bool {
	s := l.syncs[id]
	return s.Object == nil && s.State == "" && c.Newest().Modified.Before(l.adoptedBefore)
}

// trust is what the plan goes by.
func (l *ledger) trust(b project.Branch, c chain.Chain) (trust plan.Trust) {
	if l == nil {
		return trust
	}
	id := b.Identity()
	o := l.object(id)
	if o != nil {
		trust.MadeAfter = madeAfter(*o)
	}
	switch end, asked := l.ends[id]; {
	case len(c.Objects) == 0 || !isOwn(c):
	case !l.knows(id, c):
		if asked && !end.unknown {
			trust.Heal = notUploaded
		}
	case o.Keys != "" && o.Keys != l.keys:
		trust.Heal = otherKeys
	case plan.IsOfFuture(o.MadeAt, o.Modified) && plan.IsOfFuture(o.MadeAt, l.began): // and this clock says something else now
		trust.Heal = ofFuture
	default:
		trust.Known = true
	}
	return trust
}
