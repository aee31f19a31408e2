package service

import (
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const (
	// quietTime is how long a worker that is told to end waits for the next step of a run whose files it has: where another worker
	// is at the workflows, it comes at once.
	quietTime = time.Second
	// quietTick is how often it looks whether there is one.
	quietTick = 50 * time.Millisecond
	// lastAnswers is how long the polls for such steps may take to end, once no more are wanted.
	lastAnswers = time.Second
)

// workers are those of a role's task queues.
type workers struct {
	common, scans worker.Worker
	own           worker.Worker // of the steps with files on this host
}

func (s *roleWorker) newWorkers(temporal client.Client, steps any, failed func(error)) (w workers, err error) {
	options := s.options(failed)
	first, err := withSlots(options, newSlots(s.MaxConcurrent, slowAfter))
	if err != nil {
		return w, err
	}
	w.common = worker.New(temporal, s.TaskQueue, first)
	s.role.workflows(w.common)
	w.common.RegisterActivity(steps)

	options.DisableWorkflowWorker = true
	options.MaxConcurrentActivityExecutionSize = scanSlots
	w.scans = worker.New(temporal, contract.ScanQueue(s.TaskQueue), options)
	w.scans.RegisterActivity(steps)
	options.MaxConcurrentActivityExecutionSize = hostSlots
	options.WorkerStopTimeout = lastAnswers // drain waits for the steps
	w.own = worker.New(temporal, s.Host, options)
	w.own.RegisterActivity(steps)
	return w, nil
}

// start starts all workers, or none; the workflows' last: what they start is then taken up.
func (w workers) start() error {
	for i, each := range w.inOrder() {
		if err := each.Start(); err != nil {
			for _, started := range w.inOrder()[:i] {
				started.Stop()
			}
			return fmt.Errorf("start worker: %w", err)
		}
	}
	return nil
}

func (w workers) inOrder() []worker.Worker { return []worker.Worker{w.own, w.scans, w.common} }

// drain lets what runs finish until DRAIN_TIMEOUT is over, and runs go on here for as long whose files are here: anywhere else they
// would start over.
func (s *roleWorker) drain(w workers) {
	var draining sync.WaitGroup
	draining.Go(w.common.Stop)
	draining.Go(w.scans.Stop)
	s.awaitQuiet(s.DrainTimeout)
	draining.Go(w.own.Stop)
	draining.Wait()
}

// awaitQuiet waits, but no longer than atMost, until nothing runs and no run has files here. A run that does not go on, as when no
// other worker is there for its workflow, is not waited for: the next worker answers for its files.
func (s *roleWorker) awaitQuiet(atMost time.Duration) {
	end := time.Now().Add(atMost)
	for quietSince := time.Now(); time.Now().Before(end); time.Sleep(quietTick) {
		switch {
		case s.running.any():
			quietSince = time.Now()
		case time.Since(quietSince) >= quietTime || !s.Staging.HasRuns():
			return
		}
	}
}
