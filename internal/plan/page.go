package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// A page is bounded in branches to move and in bytes of JSON. Temporal accepts 2 MiB for all lists together.
const (
	// DefaultPageSize is how many branches a page moves at most when the request does not say.
	DefaultPageSize = 200
	// MaxPageSize is the largest number that a request may ask for.
	MaxPageSize   = 500
	maxMovesSize  = 768 << 10
	maxInSyncSize = 192 << 10
	// maxHealed is how many branches a page moves that have not moved at their sources: snapshots of all at once would keep
	// updates waiting.
	maxHealed = 20
)

// PageRequest says which part of a cycle's plan to make.
type PageRequest struct {
	// Order is the order in which the cycle visits the branches.
	Order turn.Order `json:"turn"`
	// After is where the previous page ended. Zero is before all branches.
	After turn.Position `json:"after,omitempty"`
	// Size is how many branches the page may move at most.
	Size int `json:"size,omitempty"`
	// Detail is for a plan that is only shown. It also lists the branches that are in sync, and reports heads that
	// cannot be read as failures, since no run will find that out.
	Detail bool `json:"detail,omitempty"`
	// AllChanges has a plan with Detail name all refs of sets that would change, however many. No history could hold them:
	// it is for plans that are made without Temporal.
	AllChanges bool `json:"-"`
}

// Page is the plan for the branches from one position of the cycle's order to another.
type Page[M any] struct {
	Checked  int            `json:"checked"`
	UpToDate int            `json:"up_to_date"`
	InSync   []BranchStatus `json:"in_sync,omitempty"` // only with Detail
	Moves    []M            `json:"moves,omitempty"`   // in their order
	// Changes has, for each set of refs that has to move, lines that say what becomes of them, by destination. Only with
	// Detail: they are for people, and no run is told.
	Changes map[string][]string `json:"changes,omitempty"`
	// Waiting are the branches that are not in step, and cannot be yet. Only with Detail.
	Waiting []BranchStatus `json:"waiting,omitempty"`
	// Sources is what the producer's catalog says of the branches that have to move or fail, by destination. Only with Detail.
	Sources map[string]*SourceStatus `json:"sources,omitempty"`
	// NotCatalogued counts the destinations that the bucket has objects of and the producer's catalog does not name. Nothing
	// is pushed of them.
	NotCatalogued int `json:"not_catalogued,omitempty"`
	// Catalog is the newest catalog that the consumer knows of, for the next plan to remember.
	Catalog CatalogSeen `json:"catalog,omitzero"`
	// Reached is the position where this page ends. Left counts the branches that are known to come after it.
	Reached turn.Position `json:"reached,omitempty"`
	Left    int           `json:"left,omitempty"`
	Warning string        `json:"warning,omitempty"`
	// Orphans says what to do about objects whose sync has left the configuration. Only the first page of a producer's
	// plan has it.
	Orphans Orphans `json:"orphans,omitzero"`
	// Superseded counts the objects that newer ones have replaced.
	Superseded int `json:"superseded,omitempty"`
	Failures

	looks                 []Look
	request               PageRequest
	movesSize, inSyncSize int
	changesSize           int
	notQueried            int
	healed, healedLater   int  // moves that heal, and those that were left for the next cycles
	full                  bool // the next branch did not fit
}

// NewPage returns an empty page.
func NewPage[M any](r PageRequest) *Page[M] {
	if r.Size < 1 || r.Size > MaxPageSize {
		r.Size = DefaultPageSize
	}
	return &Page[M]{request: r, Reached: r.After}
}

// Candidate is a branch that may have to move.
type Candidate[M any] struct {
	Destination project.Branch
	// Read is the branch whose head on the Git server decides: the source for an upload, the destination for a push.
	Read     project.Branch
	Position turn.Position
	decide   func(Head) decision[M]
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
}

// NeedsMove tells whether a branch with this head has to move.
func (c Candidate[M]) NeedsMove(head Head) bool {
	return !head.NotQueried && c.decide(head).move != nil
}

// Heals tells whether a branch with this head would only have to move because of what is in the bucket.
func (c Candidate[M]) Heals(head Head) bool {
	return !head.NotQueried && c.decide(head).heals
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

// Remaining is how many more branches the page can move, and how many bytes they may take.
func (p *Page[M]) Remaining() (branches, bytes int) {
	return p.request.Size - len(p.Moves), p.moveSizeLimit() - p.movesSize
}

// HealsLeft is how many more branches the page can move that have not moved at their sources.
func (p *Page[M]) HealsLeft() int { return maxHealed - p.healed }

// IsFull tells whether the next candidate belongs to the next page.
func (p *Page[M]) IsFull() bool {
	shown := p.request.Detail && p.Reached > p.request.After && (p.inSyncSize >= maxInSyncSize || len(p.Failed) >= maxFailures/2)
	return p.full || shown || len(p.Moves) >= p.request.Size
}

// moveSizeLimit is smaller for a plan that is only shown, because it is sent twice: in words, and as data.
func (p *Page[M]) moveSizeLimit() int {
	if p.request.Detail {
		return maxMovesSize / 3
	}
	return maxMovesSize
}

// Add decides about candidates in their order until the page is full, and returns how many it took. Heads are by
// destination, as one source may be read for several, and refusals, which tells how earlier runs were refused.
func (p *Page[M]) Add(candidates []Candidate[M], heads map[project.Branch]Head, refusals map[project.Branch]Refusal, now time.Time) int {
	for i, c := range candidates {
		if p.IsFull() || !p.add(c, heads[c.Destination], refusals[c.Destination], now) {
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
	look := Look{Destination: c.Destination, Head: head}
	defer func() { p.looks = append(p.looks, look) }()
	switch {
	case d.failure != nil:
		look.Failure = d.failure.Kind
		p.Fail(*d.failure)
		p.addSource(c.Destination, d.source)
	case d.waiting != nil:
		if d.notCatalogued {
			p.NotCatalogued++
		}
		p.list(&p.Waiting, *d.waiting, d.source)
	case d.move == nil:
		p.UpToDate++
		p.list(&p.InSync, d.inSync, d.source)
	case d.heals && p.HealsLeft() == 0:
		p.UpToDate++
		p.list(&p.InSync, d.inSync, d.source)
		p.healedLater++
	default:
		look.Moves = true
		if d.heals {
			p.healed++
		}
		if failure, wait := d.attempt.backOff(c.Destination, last, now); wait {
			look.Failure, look.Since = failure.Kind, last.Since
			p.Fail(failure)
			p.addSource(c.Destination, d.source)
			return true
		}
		size := jsonSize(d.move) + 1
		if len(p.Moves) > 0 && p.movesSize+size > p.moveSizeLimit() {
			return false
		}
		p.Moves = append(p.Moves, *d.move)
		p.movesSize += size
		p.addSource(c.Destination, d.source)
	}
	return true
}

// list adds to a list of branches that do not move. Only plans that are shown have these.
func (p *Page[M]) list(statuses *[]BranchStatus, s BranchStatus, source *SourceStatus) {
	if !p.request.Detail {
		return
	}
	s.Source = source
	*statuses = append(*statuses, s)
	p.inSyncSize += jsonSize(s) + 1
}

// addSource notes what the producer's catalog says of a branch that is in no such list.
func (p *Page[M]) addSource(destination project.Branch, source *SourceStatus) {
	if source == nil {
		return
	}
	if p.Sources == nil {
		p.Sources = map[string]*SourceStatus{}
	}
	p.Sources[destination.String()] = source
	p.inSyncSize += jsonSize(destination.String()) + jsonSize(source) + 2
}

// Finish returns the finished page. Left is the number of branches after it.
func (p *Page[M]) Finish(left int) Page[M] {
	p.Left = left
	if p.healedLater > 0 {
		p.Warn(fmt.Sprintf("%d more destinations have other objects in the bucket than were uploaded, or objects that were made with other keys: they get snapshots in the next cycles, %d in each", p.healedLater, maxHealed))
	}
	if p.notQueried > 0 {
		p.Fail(notQueriedFailure(p.notQueried))
	}
	return *p
}
