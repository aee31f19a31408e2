// Package retries says when, and how often, what has failed is tried again: within a run, and by the runs of later cycles.
// docs/errors.md explains it to operators, and has all of its figures.
package retries

import (
	"math/rand/v2"
	"time"
)

// Class is what kinds of failures have in common that are tried again alike. Each kind is of one class.
type Class string

const (
	// Passing is a server or a network that does not do its work: it may be back within a second, or after hours.
	Passing Class = "passing"
	// Busy is a server that is asked too much.
	Busy Class = "busy"
	// Race is somebody else who has changed the same thing at the same time.
	Race Class = "race"
	// Full is a disk or a store without room. What others remove may make some.
	Full Class = "full"
	// Refused is what stays as it is until somebody does something about it.
	Refused Class = "refused"
	// StartsOver is what the run itself mends, by starting over.
	StartsOver Class = "starts over"
	// NextCycle is what no run can mend that is under way, and what plans find: each cycle looks at it again.
	NextCycle Class = "next cycle"
)

// Budget is how often, and with which pauses, a step or a scan is tried again. Each pause is Factor times the one before.
type Budget struct {
	First, Longest time.Duration
	// Attempts counts the first one, too.
	Attempts int
}

// Factor is by how much pauses grow.
const Factor = 2

var budgets = map[Class]Budget{
	Passing: {First: time.Second, Longest: 30 * time.Second, Attempts: 8},
	Busy:    {First: 5 * time.Second, Longest: time.Minute, Attempts: 6},
	Race:    {First: time.Second, Longest: 8 * time.Second, Attempts: 5},
	Full:    {First: 10 * time.Second, Longest: time.Minute, Attempts: 6},
}

// LongestAsked is the longest pause that a server can ask for. After a longer one, the next cycle is due anyway.
const LongestAsked = 10 * time.Minute

// Budget returns that of a class. One whose failures are not tried again within a run has one attempt.
func (c Class) Budget() Budget {
	if b, ok := budgets[c]; ok {
		return b
	}
	return Budget{Attempts: 1}
}

// Passes tells whether what failed may succeed when the same is tried again.
func (c Class) Passes() bool { return c.Budget().Attempts > 1 }

// Next returns the pause after the given attempt, the first of which is 1. It is false after the last one.
func (b Budget) Next(attempt int) (pause time.Duration, more bool) {
	if attempt >= b.Attempts {
		return 0, false
	}
	pause = b.First
	for range attempt - 1 {
		pause = min(Factor*pause, b.Longest)
	}
	return pause, true
}

// Patience is how long a budget lasts if each attempt fails at once.
func (b Budget) Patience() (all time.Duration) {
	for attempt := 1; ; attempt++ {
		pause, more := b.Next(attempt)
		if !more {
			return all
		}
		all += pause
	}
}

// Spread shortens a pause by up to a quarter, so that those who have failed together do not come back together.
func Spread(pause time.Duration) time.Duration {
	if pause < time.Millisecond {
		return pause
	}
	return pause - rand.N(pause/4) //nolint:gosec // it guards nothing
}
