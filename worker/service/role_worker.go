package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// hostSlots is how many steps with files on this worker run at a time. It is more than one cycle starts: a step that
// waited here for long would look as if its worker were lost.
const hostSlots = 256

// scanSlots is how many scans run at a time. A cycle makes one at a time, and operators' commands make more. The consumer's wait
// for another catalog takes one of one worker for good.
const scanSlots = 5

// roleWorker is a role's worker, ready to serve.
type roleWorker struct {
	role
	dependencies
	log     *slog.Logger
	mask    *foreign.Mask // of all secrets of the worker
	metrics *metrics
}

// options are common to all of the role's workers. Failed is called when one of them gives up.
func (s *roleWorker) options(failed func(error)) worker.Options {
	return worker.Options{
		OnFatalError:      failed,
		Interceptors:      []interceptor.WorkerInterceptor{&activities.ErrorNaming{Mask: s.mask}, &cycleRecorder{metrics: s.metrics.cycles}},
		WorkerStopTimeout: s.DrainTimeout,
		// By default the SDK delays heartbeats for most of their timeout, and with them the news of a cancellation.
		MaxHeartbeatThrottleInterval: activities.HeartbeatEvery,
	}
}

// serve polls the task queues until ctx is done, or until Temporal refuses for good. Then it lets running steps
// finish.
func (s *roleWorker) serve(ctx context.Context, temporal client.Client) error {
	ctx, give := context.WithCancelCause(ctx)
	defer give(nil)
	options := s.options(func(err error) { give(fmt.Errorf("worker gave up: %w", err)) })
	first, err := withSlots(options, newSlots(s.MaxConcurrent, slowAfter))
	if err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	steps := s.activities(s.dependencies)
	common := worker.New(temporal, s.TaskQueue, first)
	s.workflows(common)
	common.RegisterActivity(steps)

	options.DisableWorkflowWorker = true
	options.MaxConcurrentActivityExecutionSize = hostSlots
	own := worker.New(temporal, s.Host, options)
	own.RegisterActivity(steps)
	options.MaxConcurrentActivityExecutionSize = scanSlots
	scans := worker.New(temporal, contract.ScanQueue(s.TaskQueue), options)
	scans.RegisterActivity(steps)
	workers := []worker.Worker{own, scans, common} // the workflows last, when what they start is taken up

	probes := &health{metrics: s.metrics.page, temporal: func(ctx context.Context) error {
		_, err := temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err
	}}
	closeProbes, err := probes.listenAll(ctx, s.Endpoints())
	if err != nil {
		return err
	}
	defer closeProbes()
	stopHook, err := s.hook.listen(ctx, temporal, s.metrics.handler, s.log)
	if err != nil {
		return err
	}
	defer stopHook()
	if err := startAll(workers); err != nil {
		return err
	}
	probes.started.Store(true)
	var tending sync.WaitGroup
	tending.Go(func() { s.maintainFolder(ctx, activities.RunsOver(temporal), maintainInterval) })
	<-ctx.Done()
	stopHook() // forges deliver to the other workers
	tending.Wait()
	probes.draining.Store(true)
	stopAll(workers)
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// startAll starts all workers, or none.
func startAll(workers []worker.Worker) error {
	for i, w := range workers {
		if err := w.Start(); err != nil {
			stopAll(workers[:i])
			return fmt.Errorf("start worker: %w", err)
		}
	}
	return nil
}

// stopAll drains all workers concurrently, because each of them may take as long as the drain does.
func stopAll(workers []worker.Worker) {
	var draining sync.WaitGroup
	for _, w := range workers {
		draining.Go(w.Stop)
	}
	draining.Wait()
}
