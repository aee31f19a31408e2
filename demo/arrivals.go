package main

import (
	"context"
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// arrivals tell how long the last update of each sync took, from when its source was seen to have moved until its destination
// was seen to be there.
type arrivals struct {
	since map[project.Sync]time.Time
	took  map[project.Sync]time.Duration
}

func newArrivals() arrivals {
	return arrivals{map[project.Sync]time.Time{}, map[project.Sync]time.Duration{}}
}

// observe takes in where all syncs are now.
func (a arrivals) observe(states []stack.State, now time.Time) {
	for _, s := range states {
		since, behind := a.since[s.Sync]
		switch {
		case s.InSync() && behind:
			a.took[s.Sync] = now.Sub(since)
			delete(a.since, s.Sync)
		case !s.InSync() && !behind && s.Source != "":
			a.since[s.Sync] = now
		}
	}
}

// describe tells how long the last update took. It is empty for a sync that was not seen to arrive, and for one that is on its way
// again.
func (a arrivals) describe(s project.Sync) string {
	took, known := a.took[s]
	if _, behind := a.since[s]; behind || !known {
		return ""
	}
	return "arrived in " + took.Round(100*time.Millisecond).String()
}

// describeCatalog says how old the producer's catalog is.
func describeCatalog(ctx context.Context, s *stack.Stack, now time.Time) string {
	c, err := s.Catalog(ctx)
	if err != nil {
		return "The producer's catalog: " + err.Error()
	}
	return fmt.Sprintf("The producer's catalog is %s old, and has %d syncs", now.Sub(c.CreatedAt).Round(time.Second), len(c.Syncs))
}
