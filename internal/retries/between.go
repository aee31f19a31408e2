package retries

import "time"

// Probes is how many syncs a cycle tries of those that keep failing in a way that passes, and at a time while nothing gets through:
// enough to find out, and few to a server that is down, however many syncs it has.
const Probes = 3

// MaxFailures is how many syncs may fail so in a cycle, and none succeed, before it starts no more.
const MaxFailures = 8

// Rest is how long a sync is left alone between runs that fail alike. Each pause is Factor times the one before.
type Rest struct {
	// Free is after how many failures the next cycle tries again.
	Free           int
	First, Longest time.Duration
}

var (
	// costly is for what was refused after something had been transferred: to find out again costs the same.
	costly = Rest{First: 5 * time.Minute, Longest: time.Hour}
	// cheap is for what was refused before that.
	cheap = Rest{Free: 1, First: 5 * time.Minute, Longest: 30 * time.Minute}
)

// LongestRest is the longest pause after a failure that passes.
const LongestRest = 30 * time.Minute

// Failing describes runs in a row that have failed alike.
type Failing struct {
	Times   int
	Passing bool
	// Cheap says that nothing had been transferred.
	Cheap bool
	// Took is how long the last of them took.
	Took time.Duration
}

// Rest is how long the next run has to wait. What passes is tried in the next cycle; where a run takes long, by its size, not
// more than half of the time goes into tries.
func (f Failing) Rest() time.Duration {
	switch {
	case f.Passing && f.Times > 1:
		return min(f.Took, LongestRest)
	case f.Passing:
		return 0
	case f.Cheap:
		return cheap.after(f.Times)
	}
	return costly.after(f.Times)
}

func (r Rest) after(times int) time.Duration {
	if times <= r.Free {
		return 0
	}
	pause := r.First
	for n := r.Free + 1; n < times && pause < r.Longest; n++ {
		pause *= Factor
	}
	return min(pause, r.Longest)
}
