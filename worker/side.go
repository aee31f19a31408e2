package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/staging"
	"github.com/app-sre/git-partition-sync/workflows"
)

// hostSlots is how many steps of runs whose files are here run at a time. It is more than one
// cycle starts, or a step would wait here so long that its worker is taken for lost.
const hostSlots = 64

// side is a role's worker, ready to serve.
type side struct {
	taskQueue     string
	hostQueue     string
	workflows     func(workflows.Registry)
	activities    any
	staging       *staging.Area
	maxConcurrent int
	drain         time.Duration
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

// gitServer is the client of the side's GitLab.
func gitServer(c config.Side) *smarthttp.Client {
	return smarthttp.New(smarthttp.Options{
		BaseURL:  c.BaseURL,
		Username: c.GitLabUsername,
		Password: c.GitLabToken,
		HTTP:     c.HTTP,
		Agent:    version(),
	})
}

// serve polls both task queues until ctx is done, and lets running steps finish then.
func (s *side) serve(ctx context.Context, temporal client.Client) error {
	options := worker.Options{
		Interceptors:                       []interceptor.WorkerInterceptor{&activities.ErrorNaming{}},
		WorkerStopTimeout:                  s.drain,
		MaxConcurrentActivityExecutionSize: s.maxConcurrent,
	}
	shared := worker.New(temporal, s.taskQueue, options)
	s.workflows(shared)
	shared.RegisterActivity(s.activities)

	options.MaxConcurrentActivityExecutionSize = hostSlots
	options.DisableWorkflowWorker = true
	own := worker.New(temporal, s.hostQueue, options)
	own.RegisterActivity(s.activities)

	if err := own.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	if err := shared.Start(); err != nil {
		own.Stop()
		return fmt.Errorf("start worker: %w", err)
	}
	<-ctx.Done()
	// Both at once, as each of them may take as long as the drain does.
	var draining sync.WaitGroup
	draining.Go(shared.Stop)
	draining.Go(own.Stop)
	draining.Wait()
	return nil
}
