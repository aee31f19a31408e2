package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/staging"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// hostSlots is how many steps of runs whose files are here run at a time. It is more than one
// cycle starts, or a step would wait here so long that its worker is taken for lost.
const hostSlots = 256

// scanSlots is how many scans run at a time. A cycle makes one at a time, and operators who look make more.
const scanSlots = 4

// roleWorker is a role's worker, ready to serve.
type roleWorker struct {
	taskQueue     string
	hostQueue     string
	workflows     func(workflows.Registry)
	activities    any
	staging       *staging.Area
	log           *slog.Logger
	maxConcurrent int
	drain         time.Duration
	healthAddress string
	mask          *foreign.Mask // of all secrets of the worker
	metrics       http.Handler  // the page that is served with the probes
}

// roleWorker makes the role ready to serve with what open has made.
func (r role) roleWorker(s dependencies, logger *slog.Logger, mask *foreign.Mask, metrics http.Handler) *roleWorker {
	return &roleWorker{
		taskQueue:     r.TaskQueue,
		hostQueue:     s.hostQueue,
		workflows:     r.workflows,
		activities:    r.activities(s),
		staging:       s.staging,
		log:           logger,
		maxConcurrent: r.MaxConcurrent,
		drain:         r.DrainTimeout,
		healthAddress: string(r.HealthAddress),
		mask:          mask,
		metrics:       metrics,
	}
}

// options are those of all of the side's workers. Failed is told when one of them gives up.
func (s *roleWorker) options(failed func(error)) worker.Options {
	return worker.Options{
		OnFatalError:      failed,
		Interceptors:      []interceptor.WorkerInterceptor{&activities.ErrorNaming{Mask: s.mask}},
		WorkerStopTimeout: s.drain,
		// By default the SDK holds heartbeats back for most of their timeout, and cancellations with them.
		MaxHeartbeatThrottleInterval: activities.HeartbeatEvery,
	}
}

// serve polls the task queues until ctx is done, or until Temporal refuses for good, and lets
// running steps finish then.
func (s *roleWorker) serve(ctx context.Context, temporal client.Client) error {
	ctx, give := context.WithCancelCause(ctx)
	defer give(nil)
	options := s.options(func(err error) { give(fmt.Errorf("worker gave up: %w", err)) })
	first, err := withSlots(options, newSlots(s.maxConcurrent, slowAfter))
	if err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	shared := worker.New(temporal, s.taskQueue, first)
	s.workflows(shared)
	shared.RegisterActivity(s.activities)

	options.DisableWorkflowWorker = true
	options.MaxConcurrentActivityExecutionSize = hostSlots
	own := worker.New(temporal, s.hostQueue, options)
	own.RegisterActivity(s.activities)
	options.MaxConcurrentActivityExecutionSize = scanSlots
	scans := worker.New(temporal, contract.ScanQueue(s.taskQueue), options)
	scans.RegisterActivity(s.activities)
	workers := []worker.Worker{own, scans, shared} // the workflows last, when what they start is taken up

	probes := &health{metrics: s.metrics, temporal: func(ctx context.Context) error {
		_, err := temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err
	}}
	closeProbes, err := probes.listen(ctx, s.healthAddress)
	if err != nil {
		return err
	}
	defer closeProbes()
	for i, w := range workers {
		if err := w.Start(); err != nil {
			stopAll(workers[:i])
			return fmt.Errorf("start worker: %w", err)
		}
	}
	probes.started.Store(true)
	var tending sync.WaitGroup
	tending.Go(func() { s.maintainFolder(ctx, activities.RunsOver(temporal), maintainInterval) })
	<-ctx.Done()
	tending.Wait()
	probes.draining.Store(true)
	stopAll(workers)
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// stopAll drains all at once, as each of them may take as long as the drain does.
func stopAll(workers []worker.Worker) {
	var draining sync.WaitGroup
	for _, w := range workers {
		draining.Go(w.Stop)
	}
	draining.Wait()
}
