package contract

import (
	"time"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

// Limits bound what one cycle does at once. Zero means the default.
type Limits struct {
	// MaxInFlight is how many children run at a time; the default is 16.
	MaxInFlight int `json:"max_in_flight,omitempty"`
	// PageSize is how many children one workflow run starts before it continues as new,
	// which keeps its history short; the default is 200.
	PageSize int `json:"page_size,omitempty"`
	// WaitSeconds is how long the cycle waits for its children before it leaves
	// those that are still at work alone. The default is four minutes, which is less than what
	// usually lies between two cycles: while one runs, the server skips the next.
	WaitSeconds int `json:"wait_seconds,omitempty"`
}

// WithDefaults fills in what was left out.
func (l Limits) WithDefaults() Limits {
	orDefault := func(n *int, value int) {
		if *n <= 0 {
			*n = value
		}
	}
	orDefault(&l.MaxInFlight, 16)
	orDefault(&l.PageSize, 200)
	orDefault(&l.WaitSeconds, 240)
	return l
}

// Wait is WaitSeconds as a duration.
func (l Limits) Wait() time.Duration { return time.Duration(l.WaitSeconds) * time.Second }

// Slow is how long a child may be at work before it no longer keeps others from starting.
func (l Limits) Slow() time.Duration { return min(time.Minute, l.Wait()/4) }

// WaitBetween is a number of WaitSeconds for cycles that start at an interval: it leaves a cycle time to end
// before the next is due.
func WaitBetween(interval time.Duration) int {
	const longest = 10 * time.Minute
	return max(1, int(min(longest, interval*4/5).Seconds()))
}

// ProducerSyncInput is what an operator may say when starting ProducerSync. All of it is optional.
type ProducerSyncInput struct {
	// DryRun plans only: nothing is cloned, written or deleted.
	DryRun bool `json:"dry_run,omitempty"`
	// SearchAttributes are set on the children. They have to be registered.
	SearchAttributes bool `json:"search_attributes,omitempty"`
	Limits

	// Rest is set when a cycle continues as a new run: what is left of it.
	Rest *ProducerRest `json:"rest,omitempty"`
}

// ProducerRest is the part of a producer's cycle that is still to do, and its report so far.
type ProducerRest struct {
	// From is the run that left this behind. A cron run that follows is given the same input
	// by the server, but does not follow From: it plans anew.
	From string `json:"from"`
	// Until is when the cycle's patience ends.
	Until time.Time `json:"until,omitzero"`

	Uploads []plan.Upload `json:"uploads"`
	Prune   bool          `json:"prune,omitempty"`
	Report  Report        `json:"report"`
}

// ConsumerSyncInput is what an operator may say when starting ConsumerSync. All of it is optional.
type ConsumerSyncInput struct {
	// DryRun plans only: nothing is downloaded or pushed.
	DryRun bool `json:"dry_run,omitempty"`
	// SearchAttributes are set on the children. They have to be registered.
	SearchAttributes bool `json:"search_attributes,omitempty"`
	// AllowRollback names the destinations ("group/name@branch") for which an object may be older
	// than what was applied last. It holds for one run: a cron or schedule must not have it.
	AllowRollback []string `json:"allow_rollback,omitempty"`
	Limits

	// Rest is set when a cycle continues as a new run: what is left of it.
	Rest *ConsumerRest `json:"rest,omitempty"`
}

// ConsumerRest is the part of a consumer's cycle that is still to do, and its report so far.
type ConsumerRest struct {
	// From is the run that left this behind, as in ProducerRest.
	From string `json:"from"`
	// Until is as in ProducerRest.
	Until time.Time `json:"until,omitzero"`

	Pushes []plan.Push `json:"pushes"`
	Report Report      `json:"report"`
}

// Outcome is what a child did, in words. It is the part of a child's result that its
// parent reads.
type Outcome struct {
	Summary string `json:"summary"`
}
