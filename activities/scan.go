package activities

import (
	"context"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// maxPassTime is how long a page goes on reading parts of the bucket. After that, the next page continues.
const maxPassTime = time.Minute

// PlanRequest says what to plan.
type PlanRequest struct {
	plan.PageRequest
	// Absence is what the producer's last cycle found absent.
	Absence plan.Absence `json:"absence,omitzero"`
	// Retry names destinations to try although they were refused, because the operator has said something new about
	// them.
	Retry []project.Branch `json:"retry,omitempty"`
	// Insist says that a person has named the destinations of Only: those that would be left alone for a while are tried at once.
	Insist bool `json:"insist,omitempty"`
	// Only limits the plan to these destinations. It then says nothing of other objects in the bucket.
	Only []project.Branch `json:"only,omitempty"`
	// IntervalSeconds is how often cycles are meant to begin; 0 if that is not known.
	IntervalSeconds int `json:"interval_seconds,omitempty"`
	// Catalog is the newest catalog that earlier plans of the consumer have seen.
	Catalog plan.CatalogSeen `json:"catalog,omitzero"`
}

// scan fills a page of one role's plan.
type scan[M any] struct {
	Common

	request PlanRequest
	page    *plan.Page[M]
	survey  *headSurvey
	pauses  plan.Pauses
}

func newScan[M any](request PlanRequest, server RefReader, common Common) *scan[M] {
	survey := newSurvey(scanLimits, server)
	survey.down = common.Down
	return &scan[M]{Common: common, request: request, page: plan.NewPage[M](request.PageRequest), survey: survey}
}

// bucketPart is the part of a bucket that fits into memory: the next candidates, the refs to read together with their
// heads, and how many more candidates there are.
type bucketPart[M any] struct {
	candidates []plan.Candidate[M]
	notes      map[project.Branch]string
	more       int
	// destination is that of a move. changes reads what a move would do to the refs of its set.
	destination func(M) project.Branch
	changes     func(context.Context, M) (plan.RefChanges, error)
}

// run fills the page with the parts of the bucket that next reads, each after a position. Which syncs are paused is known before.
func (s *scan[M]) run(ctx context.Context, next func(plan.PageRequest) (bucketPart[M], error)) (page plan.Page[M], err error) {
	paused, err := s.Pauses.List(ctx)
	if err != nil {
		return page, err
	}
	s.pauses = plan.NewPauses(paused)
	for began, request := s.Clock(), s.request.PageRequest; ; {
		request.After = s.page.Reached
		p, err := next(request)
		if err != nil {
			return page, err
		}
		plan.Apply(s.pauses, p.candidates)
		took, err := s.take(ctx, p)
		if err != nil {
			return page, err
		}
		left := len(p.candidates) - took + p.more
		if left == 0 || took == 0 || s.page.IsFull() || s.Clock().Sub(began) > maxPassTime {
			s.count(ctx)
			page = s.page.Finish(left)
			page.Failed = withRemedies(page.Failed)
			if !s.request.Detail { // a plan that is shown starts no children
				page.SearchAttributes = s.Attributes.Registered(ctx)
			}
			return page, nil
		}
	}
}

// count counts what a page of a cycle has found. A plan that is only shown is none.
func (s *scan[M]) count(ctx context.Context) {
	if s.request.Detail {
		return
	}
	paused := len(s.page.Paused) + s.page.PausedMore
	countBranches(ctx, s.page.UpToDate, len(s.page.Moves), s.page.Checked-s.page.UpToDate-len(s.page.Moves)-paused)
}

// take decides about candidates in their order until the page is full, and returns how many it took.
func (s *scan[M]) take(ctx context.Context, p bucketPart[M]) (took int, err error) {
	for took < len(p.candidates) && !s.page.IsFull() {
		rest := p.candidates[took:]
		heads, err := s.heads(ctx, rest, p.notes)
		if err != nil {
			return took, err
		}
		var moving []project.Branch
		heals := s.page.HealsLeft()
		read := slices.IndexFunc(rest, func(c plan.Candidate[M]) bool {
			head, known := heads[c.Destination]
			if known && c.Heals(head) {
				heals--
			}
			if known && c.NeedsMove(head) && !s.request.Insist && !s.request.retries(c.Destination) && (heals >= 0 || !c.Heals(head)) {
				moving = append(moving, c.Destination)
			}
			return !known
		})
		if read < 0 {
			read = len(rest)
		}
		before := len(s.page.Moves)
		took += s.page.Add(rest[:read], heads, s.LastRuns.refusals(ctx, moving), s.Clock())
		if err := s.addChanges(ctx, p, s.page.Moves[before:]); err != nil {
			return took, err
		}
	}
	return took, nil
}

// heads reads the heads of the next candidates, by destination, until the page has no room for more moves. When the activity itself
// is ended, every request fails, and the Git server is not to blame.
func (s *scan[M]) heads(ctx context.Context, candidates []plan.Candidate[M], notes map[project.Branch]string) (map[project.Branch]plan.Head, error) {
	q := headRequest{syncs: make([]project.Sync, len(candidates)), notes: notes, allPaused: true}
	of := make(map[project.Branch]plan.Candidate[M], len(candidates))
	for i, c := range candidates {
		q.syncs[i], of[c.Destination] = project.Sync{Source: c.Read, Destination: c.Destination}, c
		q.allPaused = q.allPaused && s.pauses.Has(c.Destination)
	}
	room, bytes := s.page.Remaining()
	q.enough = func(answered []project.Sync, heads map[project.Branch]plan.Head) bool {
		for _, s := range answered {
			if size := of[s.Destination].JSONSize(heads[s.Destination]); size > 0 {
				room, bytes = room-1, bytes-size
			}
		}
		return room <= 0 || bytes <= 0
	}
	heads, err := s.survey.readHeads(ctx, q)
	if err == nil && s.request.Detail {
		nameHeads(heads)
	}
	return heads, err
}

// retries tells whether to try a branch in any case.
func (r PlanRequest) retries(b project.Branch) bool {
	return slices.ContainsFunc(r.Retry, func(other project.Branch) bool { return other.Identity() == b.Identity() })
}
