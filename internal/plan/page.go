package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// What one page holds at most: branches to move, and bytes of JSON. Temporal takes 2 MiB for all lists together.
const (
	// DefaultPageSize is how many branches a page moves at most if nobody says otherwise.
	DefaultPageSize = 200
	// MaxPageSize is how many it may be at most.
	MaxPageSize   = 500
	maxMovesSize  = 768 << 10
	maxInSyncSize = 192 << 10
)

// PageRequest says which part of a cycle's plan is wanted.
type PageRequest struct {
	// Order is the order in which the cycle goes through the branches.
	Order turn.Order `json:"turn"`
	// After is where the page before ended. Zero is before all branches.
	After turn.Position `json:"after,omitempty"`
	// Size is how many branches the page may move at most.
	Size int `json:"size,omitempty"`
	// Detail is for a plan that is only shown. It lists the branches that are in sync, too, and counts
	// as failed what cannot be read, as no run is going to find that out.
	Detail bool `json:"detail,omitempty"`
}

// Page is a part of a plan: what is found out of the branches from one position of the order to another.
type Page[M any] struct {
	Checked  int            `json:"checked"`
	UpToDate int            `json:"up_to_date"`
	InSync   []BranchStatus `json:"in_sync,omitempty"` // only with Detail
	Moves    []M            `json:"moves,omitempty"`   // in their order
	// Reached is where this page ends, and Left the number of branches after it that are known of.
	Reached turn.Position `json:"reached,omitempty"`
	Left    int           `json:"left,omitempty"`
	Warning string        `json:"warning,omitempty"`
	// Orphans is what is to be done about objects whose sync has left the configuration. The first page of a
	// producer's plan has it.
	Orphans Orphans `json:"orphans,omitzero"`
	// Superseded counts the objects that newer ones have replaced.
	Superseded int `json:"superseded,omitempty"`
	Failures

	request               PageRequest
	movesSize, inSyncSize int
	notQueried            int
	full                  bool // the next branch did not fit
}

// NewPage is empty.
func NewPage[M any](r PageRequest) *Page[M] {
	if r.Size < 1 || r.Size > MaxPageSize {
		r.Size = DefaultPageSize
	}
	return &Page[M]{request: r, Reached: r.After}
}

// Candidate is a branch that may have to move.
type Candidate[M any] struct {
	Destination project.Branch
	// Read is the branch whose head on the Git server decides: the source or the destination.
	Read     project.Branch
	Position turn.Position
	decide   func(Head) decision[M]
}

// decision is what is to be done about a candidate: one of its fields says it.
type decision[M any] struct {
	move    *M
	attempt *Attempt // of the move
	failure *Failure
	inSync  BranchStatus
}

// NeedsMove tells whether the branch has to move, given its head.
func (c Candidate[M]) NeedsMove(head Head) bool {
	return !head.NotQueried && c.decide(head).move != nil
}

// JSONSize is what the branch takes of a page, given its head, in bytes. It is 0 if the branch need not move.
func (c Candidate[M]) JSONSize(head Head) int {
	if !c.NeedsMove(head) {
		return 0
	}
	return jsonSize(c.decide(head).move) + 1
}

// sortByPosition sorts candidates by their positions.
func sortByPosition[M any](candidates []Candidate[M]) []Candidate[M] {
	slices.SortFunc(candidates, func(a, b Candidate[M]) int { return cmp.Compare(a.Position, b.Position) })
	return candidates
}

// Remaining is how many more branches may move, and how many bytes they may take.
func (p *Page[M]) Remaining() (branches, bytes int) {
	return p.request.Size - len(p.Moves), p.moveSizeLimit() - p.movesSize
}

// IsFull tells whether the next candidate is one for the next page.
func (p *Page[M]) IsFull() bool {
	shown := p.request.Detail && p.Reached > p.request.After && (p.inSyncSize >= maxInSyncSize || len(p.Failed) >= maxFailures/2)
	return p.full || shown || len(p.Moves) >= p.request.Size
}

// moveSizeLimit is less for what is only shown, as it is shown twice: for people, and for programs.
func (p *Page[M]) moveSizeLimit() int {
	if p.request.Detail {
		return maxMovesSize / 3
	}
	return maxMovesSize
}

// Add takes candidates in their order until the page is full, and returns how many it took. The refusals are
// those of the candidates that have been refused before, by destination.
func (p *Page[M]) Add(candidates []Candidate[M], heads map[project.Branch]Head, refusals map[project.Branch]Refusal, now time.Time) int {
	for i, c := range candidates {
		if p.IsFull() || !p.add(c, heads[c.Read], refusals[c.Destination], now) {
			p.full = true
			return i
		}
		p.Checked++
		p.Reached = c.Position
	}
	return len(candidates)
}

func (p *Page[M]) add(c Candidate[M], head Head, last Refusal, now time.Time) bool {
	if head.NotQueried {
		p.notQueried++
		return true
	}
	d := c.decide(head)
	switch {
	case d.failure != nil:
		p.Fail(*d.failure)
	case d.move == nil:
		p.UpToDate++
		if p.request.Detail {
			p.InSync = append(p.InSync, d.inSync)
			p.inSyncSize += jsonSize(d.inSync) + 1
		}
	default:
		if failure, held := d.attempt.backOff(c.Destination, last, now); held {
			p.Fail(failure)
			return true
		}
		size := jsonSize(d.move) + 1
		if len(p.Moves) > 0 && p.movesSize+size > p.moveSizeLimit() {
			return false
		}
		p.Moves = append(p.Moves, *d.move)
		p.movesSize += size
	}
	return true
}

// Finish ends the page. The number is of the branches after it.
func (p *Page[M]) Finish(left int) Page[M] {
	p.Left = left
	if p.notQueried > 0 {
		p.Fail(notQueriedFailure(p.notQueried))
		p.notQueried = 0
	}
	return *p
}
