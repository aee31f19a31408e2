package service

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/webhook"
)

const (
	// indexAge is how long the list of syncs is used before it is read again, and indexRetry how long after that has failed.
	indexAge   = time.Minute
	indexRetry = 10 * time.Second
	// indexPatience is how long a push waits for a list that is read again, before the old one has to do.
	indexPatience = 2 * time.Second
	// indexTimeout bounds the reading.
	indexTimeout = time.Minute
)

// syncIndex finds the syncs whose sources were pushed to, in the list that the plan reads, too. It reads that in the background,
// for all pushes together and only when there are any: what is wrong in it by then is only looked at in vain, or later.
type syncIndex struct {
	list activities.SyncList
	log  *slog.Logger

	mu       sync.Mutex
	bySource map[string][]project.Sync // by the source's path in its canonical spelling; nil before the list was read
	named    []project.Branch          // the destinations of all syncs
	next     time.Time                 // when to read it again
	reading  chan struct{}             // closed when the reading ends; nil while there is none
	err      error                     // of the last reading
}

// destinations are those of the syncs that a push concerns.
func (x *syncIndex) destinations(ctx context.Context, push webhook.Push) (destinations []string, err error) {
	bySource, err := x.read(ctx)
	if err != nil {
		return nil, err
	}
	known := map[project.Branch]bool{}
	for _, s := range bySource[gitlab.CanonicalPath(push.Project)] {
		if moved(s.Source, push.Refs) && !known[s.Destination.Identity()] {
			known[s.Destination.Identity()] = true
			destinations = append(destinations, s.Destination.String())
		}
	}
	return destinations, nil
}

// all are the destinations of all syncs.
func (x *syncIndex) all(ctx context.Context) ([]project.Branch, error) {
	if _, err := x.read(ctx); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.named, nil
}

// moved tells whether one of the refs belongs to a source; nil is for all refs of the project.
func moved(source project.Branch, refs []string) bool {
	for _, ref := range refs {
		if source.Has(ref) {
			return true
		}
	}
	return refs == nil
}

// read returns the list as it was read last, which is a minute ago at most if it can be read.
func (x *syncIndex) read(ctx context.Context) (map[string][]project.Sync, error) {
	x.mu.Lock()
	if x.reading == nil && time.Now().After(x.next) {
		x.reading = make(chan struct{})
		go x.readAgain(context.WithoutCancel(ctx), x.reading)
	}
	reading := x.reading
	x.mu.Unlock()
	if reading != nil {
		patience := time.NewTimer(indexPatience)
		defer patience.Stop()
		select {
		case <-reading:
		case <-patience.C:
		case <-ctx.Done():
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.bySource == nil {
		if x.err == nil {
			return nil, fmt.Errorf("the list of syncs was not read within %s", indexPatience)
		}
		return nil, x.err
	}
	return x.bySource, nil
}

func (x *syncIndex) readAgain(ctx context.Context, done chan struct{}) {
	defer close(done)
	ctx, cancel := context.WithTimeout(ctx, indexTimeout)
	defer cancel()
	syncs, err := x.list.Syncs(ctx)
	var bySource map[string][]project.Sync
	var named []project.Branch
	if err == nil {
		accepted, _ := plan.ValidateSyncs(syncs)
		bySource = make(map[string][]project.Sync, len(accepted))
		for _, s := range accepted {
			path := gitlab.CanonicalPath(s.Source.Path())
			bySource[path] = append(bySource[path], s)
			named = append(named, s.Destination)
		}
	} else {
		x.log.Warn("The list of syncs was not read: push events and metrics go by the one before, if there is one", "error", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.reading, x.err = nil, err
	if err != nil {
		x.next = time.Now().Add(indexRetry)
		return
	}
	x.bySource, x.named, x.next = bySource, named, time.Now().Add(indexAge)
}
