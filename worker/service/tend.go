package service

import (
	"context"
	"time"
)

const (
	// maintainInterval is how often a worker maintains its folder.
	maintainInterval = 15 * time.Second
	// maintainTimeout is how long Temporal may take to say which runs are over.
	maintainTimeout = 10 * time.Second
)

// maintainFolder maintains the worker's folder until ctx is done. A failure is only logged and tried again, because
// it concerns disk space and no run.
func (s *roleWorker) maintainFolder(ctx context.Context, runsOver func(context.Context, map[string]time.Time) ([]string, error), every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		bounded, cancel := context.WithTimeout(ctx, maintainTimeout)
		if err := s.Staging.Maintain(bounded, runsOver); err != nil && ctx.Err() == nil {
			s.log.Warn("The work directory was not looked after", "error", err)
		}
		cancel()
		if used, free, err := s.Staging.Use(); err == nil {
			s.metrics.showWorkdir(used, free)
		}
	}
}
