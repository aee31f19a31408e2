package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/foreign"
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
	traces  *traces
	running *running

	namespace string // of Temporal
}

// options are common to all of the role's workers. Failed is called when one of them gives up.
func (s *roleWorker) options(failed func(error)) worker.Options {
	// Failures that come to the first have their kinds from the last.
	interceptors := append(s.traces.interceptors(), s.running, &syncLog{role: s.Role, log: s.log, known: newKnownFailures()},
		&cycleRecorder{metrics: s.metrics.cycles}, &activities.ErrorNaming{Mask: s.mask})
	return worker.Options{
		OnFatalError:      failed,
		Interceptors:      interceptors,
		WorkerStopTimeout: s.DrainTimeout,
		// By default the SDK delays heartbeats for most of their timeout, and with them the news of a cancellation.
		MaxHeartbeatThrottleInterval: activities.HeartbeatEvery,
	}
}

// serve polls the task queues until ctx is done, or until Temporal refuses for good. Then it lets running steps
// finish.
func (s *roleWorker) serve(ctx context.Context, temporal client.Client, probes *health) error {
	ctx, give := context.WithCancelCause(ctx)
	defer give(nil)
	steps := s.activities(s.dependencies)
	s.running = &running{host: s.Host, note: s.Staging.Note}
	workers, err := s.newWorkers(temporal, steps, func(err error) { give(fmt.Errorf("worker gave up: %w", err)) })
	if err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	isThere := func(ctx context.Context) error {
		_, err := temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err
	}
	var syncs *syncIndex // only the producer's side has a list
	if s.hook.syncs != nil {
		syncs = &syncIndex{list: s.hook.syncs, log: s.log}
	}
	views := newViews(s.Role, temporal, s.dependencies.Common, steps, syncs, s.log)
	s.metrics.registry.MustRegister(newViewMetrics(s.Name, views.Latest, time.Now))
	stopHook, err := s.hook.listen(ctx, temporal, syncs, s.metrics.handler, s.log)
	if err != nil {
		return err
	}
	defer stopHook()
	if err := workers.start(); err != nil {
		return err
	}
	probes.serving.Store(&served{isThere, s.statusPage(views)})
	s.log.Info("Started: taking work")
	var tending sync.WaitGroup
	if len(s.Endpoints()) > 0 {
		tending.Go(func() { views.run(ctx) })
	}
	tending.Go(func() { watchTemporal(ctx, isThere, s.log, watchEvery) })
	tending.Go(func() { s.maintainFolder(ctx, activities.RunsOver(temporal), maintainInterval) })
	tending.Go(func() { s.answerForDead(ctx, temporal) })
	<-ctx.Done()
	s.log.Info("Stopping: what runs may finish", "drain_seconds", s.DrainTimeout.Seconds())
	stopHook() // forges deliver to the other workers
	tending.Wait()
	probes.draining.Store(true)
	s.drain(workers)
	s.giveUp(temporal)
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}
