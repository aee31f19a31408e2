package statuspage

import (
	"time"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// row is one sync.
type row struct {
	fleet.Sync
	Word    string
	Behind  moment
	AtLeast bool
	// Has and Wants are the two commits, Same if they are one.
	Has, Wants commit
	Same       bool
	Said       []said
	Pause      *pause
	LastInSync moment
	Link       string // to its workflow; empty where the UI is not known
}

// commit is a commit, or the state of a set of refs. Else is in the place of one that is not known.
type commit struct{ Short, Full, Else string }

// said is a failure.
type said struct {
	Where string // "at the producer", if it is not here
	fleet.Failure
	When moment
}

// pause is an operator's wish that the sync be left alone.
type pause struct {
	fleet.Pause
	Until moment
}

func (h *Handler) row(s fleet.Sync, now time.Time) row {
	r := row{
		Sync: s, Word: words[s.State], Behind: lasting(s.BehindSince, now), AtLeast: s.AtLeast,
		Has: shorten(s.Is, "not known"), Wants: shorten(s.Source, "not known"), Same: s.Is == s.Source,
		LastInSync: before(s.LastInSync, now), Link: h.UI.Workflow(h.Namespace, s.Workflow),
	}
	if s.State == fleet.Never {
		r.Has.Else = "nothing"
	}
	r.say("", s.Failure, now)
	r.say("at the producer", s.Producer, now)
	if s.Pause != nil {
		r.Pause = &pause{*s.Pause, before(s.Pause.Until, now)}
	}
	return r
}

func (r *row) say(where string, f *fleet.Failure, now time.Time) {
	if f != nil {
		r.Said = append(r.Said, said{where, *f, lasting(f.Since, now)})
	}
}

// shorten never cuts a character in two.
func shorten(id, orElse string) commit {
	return commit{foreign.Cut(plan.Short(id), len(id)), id, orElse}
}
