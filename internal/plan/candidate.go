package plan

import (
	"cmp"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// Candidate is a branch that may have to move.
type Candidate[M any] struct {
	Destination project.Branch
	// Read is the branch whose head on the Git server decides: the source for an upload, the destination for a push.
	Read     project.Branch
	Position turn.Position
	decide   func(Head) decision[M]
	pause    *fleet.Pause // nil unless an operator has paused it
}

// decision is what to do about a candidate: move it, report a failure, note that it has to wait, or, if these are nil,
// that it is in sync. A move that heals may have to wait for another page, and is in sync until then.
type decision[M any] struct {
	move    *M
	attempt *Attempt // of the move
	heals   bool     // the move only replaces what is in the bucket
	failure *Failure
	waiting *BranchStatus
	inSync  BranchStatus
	// notCatalogued says that the producer's catalog does not have it.
	notCatalogued bool
	source        *SourceStatus // only with Detail
	ends          *Ends         // only with Detail
}

// NeedsMove tells whether a branch with this head has to move.
func (c Candidate[M]) NeedsMove(head Head) bool {
	return c.pause == nil && !head.NotQueried && c.decide(head).move != nil
}

// IsInSync tells whether a branch with this head is left alone because there is nothing to do about it.
func (c Candidate[M]) IsInSync(head Head) bool {
	d := c.decide(head)
	return !head.NotQueried && d.move == nil && d.failure == nil && d.waiting == nil
}

// Heals tells whether a branch with this head would only have to move because of what is in the bucket.
func (c Candidate[M]) Heals(head Head) bool {
	return c.pause == nil && !head.NotQueried && c.decide(head).heals
}

// JSONSize is how many bytes the branch takes in a page, given its head. It is 0 if the branch need not move.
func (c Candidate[M]) JSONSize(head Head) int {
	if !c.NeedsMove(head) {
		return 0
	}
	return jsonSize(c.decide(head).move) + 1
}

// sortByPosition sorts candidates into the cycle's order.
func sortByPosition[M any](candidates []Candidate[M]) []Candidate[M] {
	slices.SortFunc(candidates, func(a, b Candidate[M]) int { return cmp.Compare(a.Position, b.Position) })
	return candidates
}

// Candidates returns the configured branches behind position After in the cycle's order, as far as Chains covers
// them. Left counts those that it does not cover.
func (p UploadPlanner) Candidates() (candidates []Candidate[Upload], left int) {
	accepted, _ := p.ValidateSyncs()
	byIdentity, overlaps := chainsByIdentity(p.Chains), p.findOverlaps()
	for _, s := range accepted {
		position := p.Order.Position(s.Destination)
		if position <= p.After || !p.Only.Has(s.Destination) {
			continue
		}
		if p.Covers != nil && !p.Covers(s.Destination) {
			left++
			continue
		}
		c, inBucket := byIdentity[s.Destination.Identity()]
		candidates = append(candidates, Candidate[Upload]{
			Destination: s.Destination, Read: s.Source, Position: position,
			decide: func(head Head) decision[Upload] {
				state := p.stateOf(s.Destination, c, inBucket, overlaps.newerThan(s.Destination))
				d := p.decide(s, state, head)
				if p.Detail {
					d.ends = p.ends(s.Destination, state, head)
				}
				return d
			},
		})
	}
	return sortByPosition(candidates), left
}

// chainsByIdentity indexes the chains by their destinations' identities, so that a chain is found whichever spelling
// was uploaded last.
func chainsByIdentity(chains map[project.Branch]chain.Chain) map[project.Branch]chain.Chain {
	byIdentity := make(map[project.Branch]chain.Chain, len(chains))
	for b, c := range chains {
		byIdentity[b.Identity()] = c
	}
	return byIdentity
}

// Candidates returns the branches behind position After that the bucket has objects of, or should have, in the cycle's
// order.
func (p PushPlanner) Candidates() []Candidate[Push] {
	out := make([]Candidate[Push], 0, len(p.Chains))
	overlaps := p.findOverlaps()
	for branch, c := range p.Chains {
		position := p.Order.Position(branch)
		if position <= p.After || !p.Only.Has(branch) {
			continue
		}
		cover, covered := overlaps.coverOf(branch)
		entry, known := p.entryOf(branch)
		out = append(out, Candidate[Push]{
			Destination: branch, Read: branch, Position: position,
			decide: func(head Head) (d decision[Push]) {
				switch {
				case known && covered && p.Allow.Allows(branch):
					d.inSync = coveredBy(cover, branch, c)
				case known || !p.Allow.Allows(branch):
					d = p.decide(branch, c, p.expected(entry), head)
					if d.move != nil {
						d.move.Reason += neededLFS(*d.move, entry.Object)
						d.move.MovedAt = movedAt(entry, c)
					}
				default:
					d = notInCatalog(branch, c)
				}
				return p.withSource(d, entry, c, head)
			},
		})
	}
	return sortByPosition(p.addAbsent(out))
}
