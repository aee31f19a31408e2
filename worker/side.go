package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/staging"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// hostSlots is how many steps of runs whose files are here run at a time. It is more than one
// cycle starts, or a step would wait here so long that its worker is taken for lost.
const hostSlots = 256

// scanSlots is how many scans run at a time. A cycle makes one at a time, and operators who look make more.
const scanSlots = 4

// side is a role's worker, ready to serve.
type side struct {
	taskQueue     string
	hostQueue     string
	workflows     func(workflows.Registry)
	activities    any
	connect       func(client.Client) // gives the activities their connection to Temporal
	staging       *staging.Area
	log           *slog.Logger
	environ       config.Environ // for Temporal's SDK
	maxConcurrent int
	drain         time.Duration
	healthAddress string
	mask          *foreign.Mask // of all secrets of the worker
	metrics       http.Handler  // the page that is served with the probes
}

// hostQueue names the task queue of this process alone. A worker that is started again has another
// one: the files of the one before are gone.
func hostQueue(taskQueue string, area *staging.Area) string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	return taskQueue + "/" + host + "/" + area.ID()
}

// openBucket opens the side's bucket with the credentials of the environment, if those are there, and
// warns of a way to it that others can listen on.
func openBucket(ctx context.Context, c config.Side, options bucket.Options, logger *slog.Logger) (*bucket.Bucket, error) {
	options.Name, options.PathStyle = c.Bucket, c.PathStyle
	var load []func(*awsconfig.LoadOptions) error
	if c.AccessKeyID != "" {
		// The SDK would read the same variables, but knows nothing of files, nor of white space at their ends.
		load = append(load, awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)))
	}
	store, err := bucket.Open(ctx, options, load...)
	if err != nil {
		return nil, err
	}
	if warning := plainStore(store.Endpoint()); warning != "" {
		logger.Warn(warning, "endpoint", store.Endpoint())
	}
	return store, nil
}

// gitServer is the client of the side's GitLab. It follows renamed projects to those that allows allows.
func gitServer(c config.Side, allows func(path string) bool) *smarthttp.Client {
	return smarthttp.New(smarthttp.Options{
		Forge:    gitlab.At(c.BaseURL),
		Username: c.GitLabUsername,
		Password: c.GitLabToken,
		HTTP:     c.HTTP,
		Agent:    version(),
		Allows:   allows,
	})
}

// serve polls the task queues until ctx is done, or until Temporal refuses for good, and lets
// running steps finish then.
func (s *side) serve(ctx context.Context, temporal client.Client) error {
	ctx, give := context.WithCancelCause(ctx)
	defer give(nil)
	options := worker.Options{
		OnFatalError:      func(err error) { give(fmt.Errorf("worker gave up: %w", err)) },
		Interceptors:      []interceptor.WorkerInterceptor{&activities.ErrorNaming{Mask: s.mask}},
		WorkerStopTimeout: s.drain,
		// By default the SDK holds heartbeats back for most of their timeout, and cancellations with them.
		MaxHeartbeatThrottleInterval: activities.HeartbeatEvery,
	}
	s.connect(temporal)
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
			stop(workers[:i])
			return fmt.Errorf("start worker: %w", err)
		}
	}
	probes.started.Store(true)
	var tending sync.WaitGroup
	tending.Go(func() { s.tend(ctx, activities.RunsOver(temporal), tendEvery) })
	<-ctx.Done()
	tending.Wait()
	probes.draining.Store(true)
	stop(workers)
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// stop drains all at once, as each of them may take as long as the drain does.
func stop(workers []worker.Worker) {
	var draining sync.WaitGroup
	for _, w := range workers {
		draining.Go(w.Stop)
	}
	draining.Wait()
}
