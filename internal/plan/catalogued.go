package plan

import (
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// CatalogSeen is what a consumer remembers from one cycle to the next of the newest catalog that it has accepted. The zero
// value remembers none.
type CatalogSeen struct {
	Sequence  int64     `json:"sequence"`
	CreatedAt time.Time `json:"created_at"` // by the producer's clock
}

// SourceStatus is what the producer's catalog says of a sync, beside where its destination is now.
type SourceStatus struct {
	// State is the commit that the source was last seen at, or the state of a set. It is empty if it never was seen.
	State  string    `json:"state,omitempty"`
	SeenAt time.Time `json:"seen_at,omitzero"` // when that was, by the producer's clock
	// Destination is the commit that the destination is at, or the state that was put there last; empty if there is none, or
	// it could not be read.
	Destination string `json:"destination_state,omitempty"`
	// BehindSince is when the source was first seen at State, if the destination has another.
	BehindSince time.Time `json:"behind_since,omitzero"`
	// Failure is the kind of failure that the sync has at the producer, and FailingSince since when; empty if it has none.
	Failure      string    `json:"failure,omitempty"`
	FailingSince time.Time `json:"failing_since,omitzero"`
}

func sourceStatus(s catalog.Sync, destination string) *SourceStatus {
	status := SourceStatus{State: s.State, SeenAt: s.SeenAt, Destination: destination}
	if s.State != destination {
		status.BehindSince = s.MovedAt
	}
	if s.Failure != nil {
		status.Failure, status.FailingSince = s.Failure.Kind, s.Failure.Since
	}
	return &status
}

// entryOf returns what the catalog says of a destination. Without a catalog, all destinations are known, and nothing is said
// of them.
func (p PushPlanner) entryOf(b project.Branch) (entry catalog.Sync, known bool) {
	if p.Catalog == nil {
		return entry, true
	}
	return p.Catalog.Sync(b)
}

// movedAt is when the source was first seen where a chain has it. Of an object that is newer than the catalog, it says nothing.
func movedAt(s catalog.Sync, c chain.Chain) time.Time {
	if s.State != c.Tip() {
		return time.Time{}
	}
	return s.MovedAt
}

// withSource adds to a decision what the catalog says, for a plan that is shown.
func (p PushPlanner) withSource(d decision[Push], entry catalog.Sync, c chain.Chain, head Head) decision[Push] {
	if !p.Detail {
		return d
	}
	destination := head.Commit
	if len(c.All()) > 0 && p.inSync(c, head) { // where others have refs of a set, too, the state there is another
		destination = c.Tip()
	}
	if entry.Destination != (project.Branch{}) {
		d.source = sourceStatus(entry, destination)
	}
	d.ends = p.ends(entry, c, head, destination)
	return d
}

// notInCatalog is for objects that the producer's catalog knows nothing of. Their sync has left the configuration, and
// somebody may have put them back. Or it has just been added: a producer names a sync in the catalog before it uploads
// anything for it, but its last catalog may be one of before that, when it could not write another.
func notInCatalog(b project.Branch, c chain.Chain) decision[Push] {
	return decision[Push]{notCatalogued: true, waiting: &BranchStatus{
		Destination: b.String(), Since: c.Newest().Modified,
		Reason: "it is not in the producer's catalog: nothing is pushed of it", NotCatalogued: true,
	}}
}

// Withheld returns the destinations, by identity, whose newest object is not as late as the catalog says.
//
// Once is no proof. A listing of several pages is not of one moment: an object may be uploaded to a page that was read
// already, and the one before it be deleted from a page that was not. So whoever finds any looks again, at the catalog and
// then at the bucket. What is withheld again is: for the same to happen to one destination in two listings, its producer
// would have to upload and to delete within each of them.
func (p PushPlanner) Withheld() map[project.Branch]bool {
	withheld := map[project.Branch]bool{}
	for b, c := range p.Chains {
		if entry, known := p.entryOf(b); known && p.Only.Has(b) && p.expected(entry).Withheld(c) {
			withheld[b.Identity()] = true
		}
	}
	for _, entry := range p.absent() {
		if p.expected(entry).Withheld(chain.Chain{}) {
			withheld[entry.Destination.Identity()] = true
		}
	}
	return withheld
}

// expected is what a catalog's entry expects, unless an operator has said that an older object is good as well.
func (p PushPlanner) expected(entry catalog.Sync) Expected {
	if p.Rollback != nil && p.Rollback(entry.Destination) {
		return Expected{}
	}
	return expectedOf(entry)
}

// decideWithheld reports what is withheld.
func (p PushPlanner) decideWithheld(b project.Branch, c chain.Chain, expected Expected) decision[Push] {
	const format = "2006-01-02T15:04:05Z"
	reason := "the bucket has no object of it"
	if len(c.Objects) > 0 {
		reason = "the bucket's newest object of it was uploaded " + c.Objects[len(c.Objects)-1].Modified.UTC().Format(format)
	}
	reason = fmt.Sprintf("%s, and the producer's catalog of %s has one that was uploaded %s",
		reason, p.Catalog.CreatedAt.UTC().Format(format), expected.Modified.UTC().Format(format))
	return decision[Push]{failure: &Failure{Subject: b.String(), Kind: KindObjectWithheld, Reason: reason}}
}

// absent returns what the catalog says of the destinations that the bucket has nothing of and the plan has to look at.
func (p PushPlanner) absent() (entries []catalog.Sync) {
	if p.Catalog == nil {
		return nil
	}
	byIdentity := chainsByIdentity(p.Chains)
	for _, entry := range p.Catalog.Syncs {
		b := entry.Destination
		_, present := byIdentity[b.Identity()]
		switch wanted := entry.Object != nil || p.Detail; { // what never was there is worth a word only in a plan that is shown
		case present || !wanted || !p.Only.Has(b) || !p.Allow.Allows(b) || p.Covers != nil && !p.Covers(b):
		case p.Order.Position(b) > p.After:
			entries = append(entries, entry)
		}
	}
	return entries
}

// addAbsent adds the destinations that the bucket has nothing of.
func (p PushPlanner) addAbsent(out []Candidate[Push]) []Candidate[Push] {
	for _, entry := range p.absent() {
		b, expected := entry.Destination, p.expected(entry)
		out = append(out, Candidate[Push]{
			Destination: b, Read: b, Position: p.Order.Position(b),
			decide: func(head Head) (d decision[Push]) {
				if expected.Withheld(chain.Chain{}) {
					d = p.decideWithheld(b, chain.Chain{}, expected)
				} else {
					d.waiting = &BranchStatus{Destination: b.String(), Reason: "the bucket has no object of it yet"}
				}
				return p.withSource(d, entry, chain.Chain{}, head)
			},
		})
	}
	return out
}
