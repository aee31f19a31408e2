package main

import (
	"context"
	"time"
)

const (
	// tendEvery is how often a worker looks after its folder.
	tendEvery = 15 * time.Second
	// tendTimeout is how long Temporal may take to say which runs are over.
	tendTimeout = 10 * time.Second
)

// tend looks after the worker's folder until ctx is done. What fails is tried again: it concerns disk space, not runs.
func (s *roleWorker) tend(ctx context.Context, runsOver func(context.Context, map[string]time.Time) ([]string, error), every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		bounded, cancel := context.WithTimeout(ctx, tendTimeout)
		if err := s.staging.Tend(bounded, runsOver); err != nil && ctx.Err() == nil {
			s.log.Warn("The work directory was not looked after", "error", err)
		}
		cancel()
	}
}
