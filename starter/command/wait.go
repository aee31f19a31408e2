package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
)

// workersLookedAt is how often the workers are looked at while a workflow is waited for. The first time is so late that whatever a
// worker does at once is done without it.
const workersLookedAt = 5 * time.Second

// waitFor waits until a workflow of this side has ended, and decodes its result. Whoever waits is told if no worker takes it up, and,
// when Ctrl-C or --timeout ends the waiting, what goes on.
func (s roleClient) waitFor(ctx context.Context, run client.WorkflowRun, result any) error {
	watching, stop := context.WithCancel(ctx)
	missing := make(chan string, 1)
	go func() { missing <- s.watchWorkers(watching, run.GetID()) }()
	err := run.Get(ctx, result)
	stop()
	noWorker := <-missing
	if err == nil {
		return nil
	}
	awaitDeadline(ctx, err)
	if noWorker == "" && ctx.Err() != nil && errors.Is(context.Cause(ctx), errTimeIsUp) {
		noWorker = s.lastLook(ctx)
	}
	leaves := fmt.Sprintf("%s goes on without being waited for: to end it, temporal workflow cancel --workflow-id %q", run.GetID(), run.GetID())
	if noWorker != "" {
		leaves = noWorker + "; " + leaves
	}
	if left := stopped(ctx, err, leaves); left != nil {
		return left
	}
	return fmt.Errorf("%s: %w", run.GetID(), err)
}

// lastLook tells whether a worker is missing when the time is up that was given, which may be before it was looked for.
func (s roleClient) lastLook(ctx context.Context) string {
	looking, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	missing, _ := s.noPoller(looking, func(neededQueue, time.Time) {}) // that it cannot be told either is no news
	return missing
}

// watchWorkers says on standard error when a worker is missing that a workflow needs, and when one is there again. In the end it
// returns what is missing, or "".
func (s roleClient) watchWorkers(ctx context.Context, id string) (missing string) {
	tick := time.NewTicker(workersLookedAt)
	defer tick.Stop()
	watch := workerWatch{roleClient: s, id: id}
	for {
		select {
		case <-ctx.Done():
			return missing
		case <-tick.C:
		}
		now, err := watch.missing(ctx)
		if err != nil || now == missing {
			continue // Temporal may answer again
		}
		if missing = now; missing == "" {
			now = "a worker is there again"
		}
		s.console.note(now)
	}
}
