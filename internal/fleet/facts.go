package fleet

import (
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// Facts are what a side knows of its syncs, as every worker of it can read them. What is not known is zero.
type Facts struct {
	Role string
	// InBucket says that the side is in sync when the bucket has the source's state: the producer's. Else it is when the
	// destination has.
	InBucket bool
	// Sources are all syncs; nil where their names are not known.
	Sources []Source
	// CatalogCreated is when the producer's catalog was made that Sources have their states from; zero if they have none.
	CatalogCreated time.Time
	Cycle          Cycle
	// Ends are how last runs of syncs ended, by the identities of destinations. They are needed of those that Suspects names.
	Ends     map[project.Branch]End
	Pauses   []Pause
	Schedule Schedule
	// Failures are those that were met with while this was read.
	Failures []SideFailure
	// ChildID returns the ID of the workflow that moves a sync.
	ChildID func(destination project.Branch) string
	Now     time.Time
}

// Source is a sync, and what the producer's catalog says of it.
type Source struct {
	Destination project.Branch
	// State is the commit, or state of a set, that the source was last seen at, SeenAt. It was first seen there MovedAt.
	State           string
	SeenAt, MovedAt time.Time
	// Object is the commit or state of the newest object in the bucket, and MadeAt when its manifest was made.
	Object string
	MadeAt time.Time
	// Failure is what the sync fails with at the producer.
	Failure *Failure
}

// Cycle is what the last complete cycle tells.
type Cycle struct {
	Began, Ended time.Time
	// Looked is when the last cycle began that has looked at all syncs: see Lags. It is before Began if this one could not.
	Looked time.Time
	// Catalog is when the newest catalog was made that it had seen, by the producer's clock.
	Catalog time.Time
	// CatalogSequence is that catalog's number: one with a lower number is an old one that was put back.
	CatalogSequence int64
	// InSync counts the syncs that it left in sync.
	InSync int
	Lags   Lags
	Failed []Reported
	// Paused are the syncs that it has left alone.
	Paused []Pause
	Bucket BucketUse
}

// Reported is a failure of a cycle's report.
type Reported struct{ Subject, Kind, Reason string }

// Failure divides the reason from the remedy, which is on lines of its own.
func (r Reported) Failure(since time.Time) Failure {
	reason, remedy, _ := strings.Cut(r.Reason, "\n")
	return Failure{Kind: r.Kind, Since: since, Reason: reason, Remedy: strings.TrimSpace(remedy)}
}

// End is how a sync's last run ended.
type End struct {
	At time.Time
	// Commit is the commit or state that it has brought to where the side delivers; empty if it has failed.
	Commit string
	// Kind is the kind of its failure, and Reason what it says of it; empty if it has not failed.
	Kind, Reason string
}

// Schedule is how a side's cycles run by themselves.
type Schedule struct {
	Exists bool // or a cron workflow in its place
	Paused bool
	Note   string
	// Changed is when it was changed last: most often when it was paused, if it is.
	Changed time.Time
	// Every is how often it starts cycles; 0 if it does not go by an interval.
	Every time.Duration
}

func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// earliest leaves out times that are not known.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
