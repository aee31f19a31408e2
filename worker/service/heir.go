package service

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"

	"github.com/app-sre/git-partition-sync/internal/staging"
)

// heirTime is how long a worker answers for one that has ended. Steps that were under way without a note have timed out by then,
// and have been tried again.
const heirTime = 2 * time.Minute

// answerForDead answers, as they come, for workers that were killed where this one is, or ended before their runs, until ctx is
// done: nobody needs to wait until it is certain that they are gone.
func (s *roleWorker) answerForDead(ctx context.Context, temporal client.Client) {
	for {
		select {
		case <-ctx.Done():
			return
		case dead := <-s.Staging.Dead():
			s.log.Warn("A worker ended here before its runs did: what it was at is run again", "folder", dead.ID, "tasks", len(dead.Notes))
			if err := s.answerFor(ctx, temporal, dead); err != nil && ctx.Err() == nil {
				s.log.Warn("What a worker was at that has ended is run again only when it has timed out", "folder", dead.ID, "error", err)
			}
		}
	}
}

// answerFor has the activities run again that a worker was at that has ended, and answers steps that come for its files: there are none,
// so their runs start over. Steps of this worker never take part in that: what the other had verified was by its own settings.
func (s *roleWorker) answerFor(ctx context.Context, temporal client.Client, dead staging.Dead) error {
	options := s.options(func(err error) {
		s.log.Warn("Nobody answers for a worker that has ended", "folder", dead.ID, "error", err)
	})
	options.DisableWorkflowWorker = true
	options.MaxConcurrentActivityTaskPollers = 1
	heir := worker.New(temporal, s.hostQueue(dead.ID), options)
	heir.RegisterDynamicActivity(withoutFiles, activity.DynamicRegisterOptions{})
	if err := heir.Start(); err != nil {
		return err
	}
	living, end := context.WithTimeout(ctx, heirTime)
	context.AfterFunc(living, func() {
		end()
		heir.Stop()
	})
	failures := map[string]error{}
	for _, token := range dead.Notes {
		failures[string(token)] = errCutOff
	}
	return s.failTasks(ctx, temporal, failures)
}

// withoutFiles is every step of a worker whose files are gone.
func withoutFiles(ctx context.Context, _ converter.EncodedValues) error {
	if activity.GetInfo(ctx).ActivityType.Name == "Cleanup" {
		return nil
	}
	return fmt.Errorf("%w: its worker has ended", staging.ErrMissing)
}
