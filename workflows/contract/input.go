package contract

import (
	"time"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// Limits bound what one cycle does at once. Zero means the default, more than the maximum the maximum.
type Limits struct {
	// MaxInFlight is how many children run at a time; the default is 16, the maximum 256.
	MaxInFlight int `json:"max_in_flight,omitempty"`
	// PageSize is how many branches are planned at a time; the default is 200, the maximum 500.
	PageSize int `json:"page_size,omitempty"`
	// WaitSeconds is how long the cycle waits for its children before it leaves
	// those that are still at work alone. The default is four minutes, which is less than what
	// usually lies between two cycles: while one runs, the server skips the next. The maximum is a day.
	WaitSeconds int `json:"wait_seconds,omitempty"`
}

// WithDefaults fills in what was left out, and takes back what is too much.
func (l Limits) WithDefaults() Limits {
	within := func(n *int, value, most int) {
		if *n <= 0 {
			*n = value
		}
		*n = min(*n, most)
	}
	// Slow children included, it is four times as many. A Temporal server allows a workflow 2,000.
	within(&l.MaxInFlight, 16, 256)
	within(&l.PageSize, plan.DefaultPageSize, plan.MaxPageSize)
	within(&l.WaitSeconds, 240, 24*60*60)
	return l
}

// Wait is WaitSeconds as a duration.
func (l Limits) Wait() time.Duration { return time.Duration(l.WaitSeconds) * time.Second }

// SlowAfter is how long a child may be at work before it no longer keeps others from starting.
func (l Limits) SlowAfter() time.Duration { return min(time.Minute, l.Wait()/4) }

// WaitSecondsFor is a number of WaitSeconds for cycles that start at an interval: it leaves a cycle time to end
// before the next is due.
func WaitSecondsFor(interval time.Duration) int {
	const longest = 10 * time.Minute
	return max(1, int(min(longest, interval*4/5).Seconds()))
}

// CycleInput is what an operator may say when starting ProducerSync or ConsumerSync. All of it is optional.
type CycleInput struct {
	// DryRun plans only: nothing is cloned or downloaded, written, pushed or deleted.
	DryRun bool `json:"dry_run,omitempty"`
	// SearchAttributes are set on the children. They have to be registered.
	SearchAttributes bool `json:"search_attributes,omitempty"`
	// AllowRollback names the destinations ("group/name@branch") for which an object may be older
	// than what was applied last. It is the consumer's, and holds for one cycle: a cron or schedule must not have it.
	AllowRollback []string `json:"allow_rollback,omitempty"`
	Limits

	// From is where a dry run goes on that has no room for all branches in one report: its Report.Next.
	From *Position `json:"from,omitempty"`
	// Continuation is set when a cycle continues as a new run. Whoever starts a cycle must not set it.
	Continuation *Continuation `json:"continuation,omitempty"`
}

// Position is how far a cycle has come: the order in which it goes through the branches, and the place of the last one that it
// has looked at. The zero value is before all of them.
type Position struct {
	Order turn.Order    `json:"turn"`
	After turn.Position `json:"after"`
}

// Continuation is how far a cycle has come. What is left to do is planned anew.
type Continuation struct {
	Position
	// Until is when the cycle's patience ends.
	Until time.Time `json:"until,omitzero"`
	// Abandoned counts the children that were at work when an earlier run of the cycle ended. Nobody is told when they end.
	Abandoned int `json:"abandoned,omitempty"`
	// Moved counts the branches that the cycle has given to children, and Prune tells that there may be objects to delete.
	Moved int  `json:"moved,omitempty"`
	Prune bool `json:"prune,omitempty"`
	// Rollbacks are those of AllowRollback that have not been used yet.
	Rollbacks []string `json:"rollbacks,omitempty"`
	Report    Report   `json:"report,omitzero"`
}

// Outcome is what a child did, in words. It is the part of a child's result that its
// parent reads.
type Outcome struct {
	Summary string `json:"summary"`
}
