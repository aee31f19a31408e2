package service

import (
	"maps"
	"sync"
	"time"
)

const (
	// sayAgainAfter is how long a failure that stays the same is not said again.
	sayAgainAfter = 24 * time.Hour
	// unseenAfter is how long after it was seen last a failure is news again: other workers may have seen it end.
	unseenAfter = time.Hour
	// maxKnownFailures bounds how many a worker knows. With more, some are said more often.
	maxKnownFailures = 10_000
)

// knownFailures are those that the worker has said.
type knownFailures struct {
	mu  sync.Mutex
	all map[failureID]*knownFailure
}

type failureID struct{ subject, kind string }

type knownFailure struct{ said, seen time.Time }

func newKnownFailures() *knownFailures { return &knownFailures{all: map[failureID]*knownFailure{}} }

// isNews tells whether a failure that is seen now has to be said, and takes it for said.
func (k *knownFailures) isNews(subject, kind string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := failureID{subject, kind}
	if f := k.all[id]; f != nil && now.Sub(f.said) < sayAgainAfter && now.Sub(f.seen) < unseenAfter {
		f.seen = now
		return false
	}
	if len(k.all) >= maxKnownFailures {
		clear(k.all)
	}
	k.all[id] = &knownFailure{now, now}
	return true
}

// forget is for a subject that does not fail any more.
func (k *knownFailures) forget(subject string) {
	k.retain(func(other string) bool { return other != subject })
}

// retain forgets all subjects but those that still fail.
func (k *knownFailures) retain(fails func(subject string) bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.all, func(id failureID, _ *knownFailure) bool { return !fails(id.subject) })
}
