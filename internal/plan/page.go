package plan

import (
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/retries"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// A page is bounded in branches to move and in bytes of JSON. Temporal accepts 2 MiB for all lists together, and 50 MiB in a history,
// which has each move once more, as the input of its child. What a cycle that works gives it at once is below a tenth of that.
const (
	// DefaultPageSize is how many branches a page moves at most when the request does not say.
	DefaultPageSize = 200
	// MaxPageSize is the largest number that a request may ask for.
	MaxPageSize   = 500
	maxMovesSize  = 128 << 10
	maxShownSize  = 256 << 10 // of the moves of a plan that is only shown
	maxInSyncSize = 320 << 10
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
	// Recovered is when a branch last got through that had kept failing in a way that passes; zero if that is not known.
	Recovered time.Time `json:"recovered,omitzero"`
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
	// Ends is where both ends are of the branches that have to move or fail, by destination. Only with Detail.
	Ends map[string]*Ends `json:"ends,omitempty"`
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
	// Superseded counts the objects that newer ones have replaced, but for those of orphans that are due.
	Superseded int `json:"superseded,omitempty"`
	// Deletable says of which destinations these are, and what would be deleted of orphans, for the first of them. Only with Detail.
	Deletable []Deletable `json:"deletable,omitempty"`
	// LFSDue are projects whose LFS objects may be deleted now. Only the first page of a producer's plan has them.
	LFSDue []LFSDeletion `json:"lfs_due,omitempty"`
	// LFS is what the bucket has of Git LFS. Only the first page has it, and only with Detail.
	LFS *LFSInBucket `json:"lfs,omitempty"`
	// Bucket is what the bucket holds. Only the first page of all syncs has it.
	Bucket fleet.BucketUse `json:"bucket,omitzero"`
	// Paused are the syncs of this page that are left alone because an operator has said so; PausedMore counts those beyond
	// their bound.
	Paused     []fleet.Pause `json:"paused,omitempty"`
	PausedMore int           `json:"paused_more,omitempty"`
	// SearchAttributes tells whether the namespace has those that children set; nil where that is not known.
	SearchAttributes *bool `json:"search_attributes,omitempty"`
	Failures

	looks                 []Look
	request               PageRequest
	movesSize, inSyncSize int
	changesSize           int
	notQueried            int
	healed, healedLater   int  // moves that heal, and those that were left for the next cycles
	probes                int  // moves of branches that keep failing in a way that passes
	full                  bool // the next branch did not fit
}

// NewPage returns an empty page.
func NewPage[M any](r PageRequest) *Page[M] {
	if r.Size < 1 || r.Size > MaxPageSize {
		r.Size = DefaultPageSize
	}
	return &Page[M]{request: r, Reached: r.After}
}

// Remaining is how many more branches the page can move, and how many bytes they may take.
func (p *Page[M]) Remaining() (branches, bytes int) {
	return p.request.Size - len(p.Moves), p.moveSizeLimit() - p.movesSize
}

// HealsLeft is how many more branches the page can move that have not moved at their sources.
func (p *Page[M]) HealsLeft() int { return maxHealed - p.healed }

// IsFull tells whether the next candidate belongs to the next page.
func (p *Page[M]) IsFull() bool {
	shown := p.request.Detail && p.Reached > p.request.After && (p.inSyncSize >= maxInSyncSize || len(p.Failed) >= maxFailures/2 || p.Failures.size >= maxFailuresSize/2)
	return p.full || shown || len(p.Moves) >= p.request.Size
}

// moveSizeLimit is larger for a plan that is only shown, although it is sent twice, in words and as data: no child gets any of it.
func (p *Page[M]) moveSizeLimit() int {
	if p.request.Detail {
		return maxShownSize
	}
	return maxMovesSize
}

// Add decides about candidates in their order until the page is full, and returns how many it took. Heads are by
// destination, as one source may be read for several, and refusals, which tells how earlier runs were refused.
func (p *Page[M]) Add(candidates []Candidate[M], heads map[project.Branch]Head, refusals map[project.Branch]Refusal, now time.Time) int {
	for i, c := range candidates {
		if p.IsFull() || c.pause == nil && !p.add(c, heads[c.Destination], refusals[c.Destination], now) {
			p.full = true
			return i
		}
		if c.pause != nil {
			p.leave(c, heads[c.Destination])
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
		p.addDetail(c.Destination, d)
	case d.waiting != nil:
		if d.notCatalogued {
			p.NotCatalogued++
		}
		p.list(&p.Waiting, *d.waiting, d)
	case d.move == nil:
		p.UpToDate++
		p.list(&p.InSync, d.inSync, d)
	case d.heals && p.HealsLeft() == 0:
		p.UpToDate++
		p.list(&p.InSync, d.inSync, d)
		p.healedLater++
	default:
		look.Moves = true
		if d.heals {
			p.healed++
		}
		failure, wait := p.backOff(d.attempt, c.Destination, last, now)
		if wait {
			look.Failure, look.Since = failure.Kind, last.Since
			p.Fail(failure)
			p.addDetail(c.Destination, d)
			return true
		}
		size := jsonSize(d.move) + 1
		if len(p.Moves) > 0 && p.movesSize+size > p.moveSizeLimit() {
			return false
		}
		p.Moves = append(p.Moves, *d.move)
		p.movesSize += size
		p.addDetail(c.Destination, d)
	}
	return true
}

// backOff tells whether a branch has to be left alone for now. What keeps failing in a way that passes is tried as soon as another
// has got through, which may have failed for the same reason; until then, by a few of all at a time.
func (p *Page[M]) backOff(attempt *Attempt, branch project.Branch, last Refusal, now time.Time) (Failure, bool) {
	failure, wait := attempt.backOff(branch, last, now)
	switch {
	case !attempt.isPersistent():
		return failure, wait
	case last.Ended.Before(p.request.Recovered):
		return failure, false
	case wait:
		return failure, true
	case p.probes == retries.Probes:
		return last.failureInTurn(branch.String()), true
	}
	p.probes++
	return failure, false
}

// list adds to a list of branches that do not move. Only plans that are shown have these.
func (p *Page[M]) list(statuses *[]BranchStatus, s BranchStatus, d decision[M]) {
	if !p.request.Detail {
		return
	}
	s.Source, s.Ends = d.source, d.ends
	*statuses = append(*statuses, s)
	p.inSyncSize += jsonSize(s) + 1
}

// addDetail notes what is known of both ends of a branch that is in no list of branches that do not move.
func (p *Page[M]) addDetail(b project.Branch, d decision[M]) {
	addTo(p, &p.Sources, b, d.source)
	addTo(p, &p.Ends, b, d.ends)
}

// addTo adds it under the destination. Only plans that are shown have something to add.
func addTo[M, V any](p *Page[M], all *map[string]*V, destination project.Branch, said *V) {
	if said == nil {
		return
	}
	if *all == nil {
		*all = map[string]*V{}
	}
	(*all)[destination.String()] = said
	p.inSyncSize += jsonSize(destination.String()) + jsonSize(said) + 2
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
