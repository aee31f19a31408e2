package fleet

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// settling is for how long after an object was made nobody takes a cycle's word that nothing had to move: its upload may have
// ended after the cycle looked, and catalogs and cycles have different clocks.
const settling = time.Hour

// join is what Join and Suspects look up.
type join struct {
	Facts
	lags     map[project.Branch]Lag // by identity
	reported map[project.Branch]Reported
	pauses   map[project.Branch]Pause
	// leftAlone are those that the cycle has not looked at because they were paused then.
	leftAlone map[project.Branch]bool
}

func newJoin(f Facts) join {
	j := join{f, map[project.Branch]Lag{}, map[project.Branch]Reported{}, map[project.Branch]Pause{}, map[project.Branch]bool{}}
	for _, lag := range slices.Concat(f.Cycle.Lags.Paused, f.Cycle.Lags.List) {
		if b, err := project.ParseBranch(lag.Destination); err == nil {
			j.lags[b.Identity()] = lag
		}
	}
	for _, p := range f.Cycle.Paused {
		if b, err := project.ParseBranch(p.Destination); err == nil {
			j.leftAlone[b.Identity()] = true
		}
	}
	for _, r := range f.Cycle.Failed {
		if b, err := project.ParseBranch(r.Subject); err == nil {
			j.reported[b.Identity()] = r
		}
	}
	for _, p := range f.Pauses {
		if b, err := project.ParseBranch(p.Destination); err == nil {
			j.pauses[b.Identity()] = p
		}
	}
	return j
}

// Suspects returns the syncs that may have moved since the last complete cycle looked, or that it has not left in sync, unless an
// end that is known says that they are: to tell how they are, it has to be known how their last runs have ended.
func Suspects(f Facts) (suspects []project.Branch) {
	j := newJoin(f)
	listed := make(map[project.Branch]bool, len(f.Sources))
	for _, s := range f.Sources {
		listed[s.Destination.Identity()] = true
		if j.isSuspect(s) {
			suspects = append(suspects, s.Destination)
		}
	}
	for _, lag := range j.lags {
		if b, _ := project.ParseBranch(lag.Destination); !listed[b.Identity()] && j.isSuspect(Source{Destination: b}) {
			suspects = append(suspects, b)
		}
	}
	slices.SortFunc(suspects, func(a, b project.Branch) int { return cmp.Compare(a.String(), b.String()) })
	return suspects
}

func (j join) isSuspect(s Source) bool {
	k := j.known(s)
	switch {
	case k.lag != nil:
		return true
	case k.end.Commit != "" && k.end.Commit == s.State:
		return false
	}
	return s.State != s.Object || !j.InBucket && s.State != "" && !j.settled(s, settling)
}

// settled tells whether the last look of a cycle was later than the sync's newest object, by more than the margin.
func (j join) settled(s Source, margin time.Duration) bool {
	if margin > 0 && j.leftAlone[s.Destination.Identity()] {
		return false
	}
	looked := earliest(j.Cycle.Looked, j.Cycle.Catalog)
	return !looked.IsZero() && !s.MadeAt.Add(margin).After(looked)
}

// Join puts together how all syncs are.
func Join(f Facts) View {
	j := newJoin(f)
	v := View{
		Role: f.Role, ReadAt: f.Now, CycleEnded: f.Cycle.Ended, CatalogCreated: f.CatalogCreated,
		Scheduled: f.Schedule.Exists, SchedulePaused: f.Schedule.Paused, ScheduleNote: f.Schedule.Note,
		Failures: f.Failures, Syncs: make([]Sync, 0, len(f.Sources)), More: map[State]int{}, Bucket: f.Cycle.Bucket,
	}
	if !f.Cycle.Ended.IsZero() {
		v.CycleTook = f.Cycle.Ended.Sub(f.Cycle.Began)
	}
	known := make(map[project.Branch]bool, len(f.Sources))
	for _, s := range f.Sources {
		known[s.Destination.Identity()] = true
		if j.isUncertain(s) {
			v.More[InSync]++
			continue
		}
		v.Syncs = append(v.Syncs, j.sync(s))
	}
	for b, lag := range j.lags {
		if !known[b] {
			named, _ := project.ParseBranch(lag.Destination)
			v.Syncs = append(v.Syncs, j.sync(Source{Destination: named}))
		}
	}
	for _, s := range v.Syncs {
		if s.State != Paused {
			v.OldestLag = earliest(v.OldestLag, s.BehindSince)
		}
	}
	j.addNumbers(&v)
	j.addSideFailures(&v)
	slices.SortFunc(v.Syncs, func(a, b Sync) int { return cmp.Compare(a.Destination, b.Destination) })
	return v
}

// isUncertain tells whether the sync may be one of those that the cycle has only counted: they lag, and nobody knows which.
func (j join) isUncertain(s Source) bool {
	_, lags := j.lags[s.Destination.Identity()]
	counted := j.Cycle.Lags.MoreBehind+j.Cycle.Lags.MoreFailing > 0
	return counted && !lags && !j.isSuspect(s) && (!j.InBucket || j.CatalogCreated.IsZero())
}

// addNumbers adds those that are known only as numbers.
func (j join) addNumbers(v *View) {
	lags := j.Cycle.Lags
	if j.Sources == nil {
		v.More[InSync] = j.Cycle.InSync
	} else if v.More[InSync] == 0 { // each has a name
		v.More = nil
		return
	} else {
		v.More[InSync] = max(0, v.More[InSync]-lags.MoreBehind-lags.MoreFailing)
	}
	v.More[Behind], v.More[Failing] = lags.MoreBehind, lags.MoreFailing
	if lags.MoreBehind+lags.MoreFailing > 0 {
		v.OldestLag = earliest(v.OldestLag, lags.Oldest)
	}
	maps.DeleteFunc(v.More, func(_ State, n int) bool { return n == 0 })
}

// addSideFailures adds the cycle's failures that concern no single sync, each subject and kind once.
func (j join) addSideFailures(v *View) {
	since := map[string]time.Time{}
	for _, lag := range j.Cycle.Lags.List {
		since[lag.Destination] = cmp.Or(lag.Failing, lag.Since)
	}
	for _, r := range j.Cycle.Failed {
		said := func(f SideFailure) bool { return f.Subject == r.Subject && f.Kind == r.Kind }
		if _, err := project.ParseBranch(r.Subject); err != nil && !slices.ContainsFunc(v.Failures, said) {
			v.Failures = append(v.Failures, SideFailure{r.Subject, r.Failure(cmp.Or(since[r.Subject], j.Cycle.Began))})
		}
	}
}
