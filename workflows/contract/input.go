package contract

import (
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// Limits bound what one cycle does at once. Zero means the default. Values above the maximum become the maximum.
type Limits struct {
	// MaxInFlight is how many children run at a time. The default is 16, the maximum 256.
	MaxInFlight int `json:"max_in_flight,omitempty"`
	// PageSize is how many branches are planned at a time. The default is 200, the maximum 500.
	PageSize int `json:"page_size,omitempty"`
	// WaitSeconds is how long the cycle waits for its children. Those that are still running are then left alone. The
	// default is four minutes, which is less than the usual interval between two cycles: while one runs, the server
	// skips the next. The maximum is a day.
	WaitSeconds int `json:"wait_seconds,omitempty"`
}

// WithDefaults replaces zeros by defaults, and values above the maximum by the maximum.
func (l Limits) WithDefaults() Limits {
	within := func(n *int, value, most int) {
		if *n <= 0 {
			*n = value
		}
		*n = min(*n, most)
	}
	// Including slow children, four times as many may run. A Temporal server allows a workflow 2,000.
	within(&l.MaxInFlight, 16, 256)
	within(&l.PageSize, plan.DefaultPageSize, plan.MaxPageSize)
	within(&l.WaitSeconds, 240, 24*60*60)
	return l
}

// Wait is WaitSeconds as a duration.
func (l Limits) Wait() time.Duration { return time.Duration(l.WaitSeconds) * time.Second }

// SlowAfter is how long a child may run before it no longer counts against MaxInFlight.
func (l Limits) SlowAfter() time.Duration { return min(time.Minute, l.Wait()/4) }

// WaitSecondsFor returns WaitSeconds for cycles that start at an interval, so that a cycle ends before the next is
// due.
func WaitSecondsFor(interval time.Duration) int {
	const longest = 10 * time.Minute
	return max(1, int(min(longest, interval*4/5).Seconds()))
}

// CycleInput is the input of ProducerSync and ConsumerSync. All of it is optional.
type CycleInput struct {
	// DryRun only plans: nothing is cloned or downloaded, written, pushed or deleted.
	DryRun bool `json:"dry_run,omitempty"`
	// SearchAttributes sets search attributes on the children, where it cannot be found out whether they are registered. Where
	// it can, they are set if they are.
	SearchAttributes bool `json:"search_attributes,omitempty"`
	// AllowRollback names the destinations ("group/name@branch") that may go back to an older object than the one
	// applied last. Only a consumer accepts it, and only for one cycle: a cron or schedule must not have it.
	AllowRollback []string `json:"allow_rollback,omitempty"`
	// Only are the destinations ("group/name@branch") that the cycle is about; empty for all. Nothing else is looked at, and
	// nothing deleted from the bucket.
	Only []string `json:"only,omitempty"`
	Limits

	// IntervalSeconds is how often cycles are meant to begin, for the consumer to know when to miss them; 0 if nobody knows.
	IntervalSeconds int `json:"interval_seconds,omitempty"`
	// From continues a dry run whose report had no room for all branches. It is that report's Next.
	From *Position `json:"from,omitempty"`
	// Continuation is set by a cycle that continues as a new run. Nobody else may set it.
	Continuation *Continuation `json:"continuation,omitempty"`
}

// MaxOnly is how many destinations Only may name.
const MaxOnly = 200

// Subset returns the destinations that Only names.
func (in CycleInput) Subset() (only []project.Branch, err error) {
	if len(in.Only) > MaxOnly {
		return nil, fmt.Errorf("only: %d destinations are named, more than %d", len(in.Only), MaxOnly)
	}
	for _, name := range in.Only {
		b, err := project.ParseBranch(name)
		if err != nil {
			return nil, fmt.Errorf("only: %w", err)
		}
		only = append(only, b)
	}
	return only, nil
}

// RepeatedEvery is the input of cycles that begin at an interval.
func RepeatedEvery(interval time.Duration) CycleInput {
	return CycleInput{Limits: Limits{WaitSeconds: WaitSecondsFor(interval)}, IntervalSeconds: int(interval.Seconds())}
}

// Position is how far a cycle has come: the order in which it visits the branches, and the position of the last one
// that it has planned. The zero value is before all of them.
type Position struct {
	Order turn.Order    `json:"turn"`
	After turn.Position `json:"after"`
}

// Began returns when the cycle began. The argument is when its present run did.
func (in CycleInput) Began(run time.Time) time.Time {
	if in.Continuation != nil && !in.Continuation.Began.IsZero() {
		return in.Continuation.Began
	}
	return run
}

// Continuation is what a cycle tells the run that continues it. Whatever is left to do is planned anew.
type Continuation struct {
	Position
	// Began is when the first run of the cycle began.
	Began time.Time `json:"began,omitzero"`
	// Until is when the cycle's time is up.
	Until time.Time `json:"until,omitzero"`
	// Abandoned counts the children that were still running when an earlier run of the cycle ended. The cycle is not
	// told when they end.
	Abandoned int `json:"abandoned,omitempty"`
	// Moved counts the branches for which the cycle has started children. Prune says that there may be objects to
	// delete.
	Moved int  `json:"moved,omitempty"`
	Prune bool `json:"prune,omitempty"`
	// Rollbacks are the entries of AllowRollback that have not been used yet.
	Rollbacks []string `json:"rollbacks,omitempty"`
	Report    Report   `json:"report,omitzero"`
	// Before is what the cycle before has left, as far as this one has not dealt with it. Report.Lags is what this one leaves.
	Before fleet.Lags `json:"before,omitzero"`
}

// Outcome is what a child did: in words, and how many bytes it has moved. It is the part of a child's result that its parent reads.
type Outcome struct {
	Summary string `json:"summary"`
	Size    int64  `json:"size,omitempty"`
	// Pause is why nothing was moved.
	Pause *fleet.Pause `json:"pause,omitempty"`
}
