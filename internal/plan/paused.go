package plan

import (
	"slices"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// The pauses that a page, or a report, names are bounded in number and in bytes of JSON.
const (
	maxPaused     = 100
	maxPausedSize = 32 << 10
)

// Pauses are the syncs that an operator has paused, by the identities of their destinations.
type Pauses map[project.Branch]fleet.Pause

// NewPauses leaves out what is no destination.
func NewPauses(list []fleet.Pause) Pauses {
	pauses := make(Pauses, len(list))
	for _, pause := range list {
		if b, err := project.ParseBranch(pause.Destination); err == nil {
			pauses[b.Identity()] = pause
		}
	}
	return pauses
}

// Has tells whether the sync of a destination is paused, in any spelling.
func (p Pauses) Has(b project.Branch) bool {
	_, paused := p[b.Identity()]
	return paused
}

// Apply has candidates left alone whose syncs are paused.
func Apply[M any](p Pauses, candidates []Candidate[M]) {
	for i, c := range candidates {
		if pause, paused := p[c.Destination.Identity()]; paused {
			candidates[i].pause = &pause
		}
	}
}

// FailOrPause adds failures. Of a sync that is paused, the page says that in its place, but for one that is not there.
func (p *Page[M]) FailOrPause(failures []Failure, pauses Pauses) {
	for _, failure := range failures {
		b, err := project.ParseBranch(failure.Subject)
		if pause, paused := pauses[b.Identity()]; err == nil && paused && failure.Kind != KindNotConfigured {
			p.Pause(pause)
		} else {
			p.Fail(failure)
		}
	}
}

// Pause notes that a sync is left alone. When there is no room, it is only counted.
func (p *Page[M]) Pause(pause fleet.Pause) {
	AddPause(&p.Paused, &p.PausedMore, pause)
}

// AddPause adds to a bounded list of pauses, unless the list has the destination already.
func AddPause(list *[]fleet.Pause, more *int, pause fleet.Pause) {
	switch {
	case slices.ContainsFunc(*list, func(other fleet.Pause) bool { return other.Destination == pause.Destination }):
	case *more > 0 || len(*list) == maxPaused || jsonSize(*list)+jsonSize(pause) > maxPausedSize:
		*more++
	default:
		*list = append(*list, pause)
	}
}

// leave notes that a candidate is paused. What was seen of it goes into the producer's catalog all the same; what was not seen
// is no failure.
func (p *Page[M]) leave(c Candidate[M], head Head) {
	p.Pause(*c.pause)
	if head.NotQueried {
		return
	}
	d := c.decide(head)
	p.addDetail(c.Destination, d)
	if head.Err == nil && head.Commit != "" {
		p.looks = append(p.looks, Look{Destination: c.Destination, Head: head, Moves: d.move != nil})
	}
}
