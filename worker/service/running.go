package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// giveUpTimeout is how long Temporal may take to hear what will not be finished. It finds that out by itself, only later.
const giveUpTimeout = 5 * time.Second

// errCutOff is what a step fails with that is run again, at once.
var errCutOff = errors.New("the worker ended that was at it")

// running knows the activities that run on a worker. It notes them in the worker's folder, for whoever finds that after the worker
// was killed.
type running struct {
	interceptor.WorkerInterceptorBase

	host string // the queue of steps that need this worker's files
	note func(token []byte) (strike func())

	mu    sync.Mutex
	tasks map[string]bool // by their tokens; true if they need this worker's files
	local int             // how many run as parts of workflow tasks
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (r *running) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &runningActivity{interceptor.ActivityInboundInterceptorBase{Next: next}, r}
}

type runningActivity struct {
	interceptor.ActivityInboundInterceptorBase
	of *running
}

func (a *runningActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	info := activity.GetInfo(ctx)
	if info.IsLocalActivity { // part of a workflow task: it has no token of its own, and another worker takes it up
		a.of.count(1)
		defer a.of.count(-1)
		return a.Next.ExecuteActivity(ctx, in)
	}
	defer a.of.begin(info.TaskToken, info.TaskQueue == a.of.host)()
	return a.Next.ExecuteActivity(ctx, in)
}

func (r *running) begin(token []byte, needsFiles bool) (end func()) {
	strike := r.note(token)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tasks == nil {
		r.tasks = map[string]bool{}
	}
	r.tasks[string(token)] = needsFiles
	return func() {
		strike()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.tasks, string(token))
	}
}

func (r *running) count(local int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.local += local
}

// any tells whether something runs.
func (r *running) any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.tasks)+r.local > 0
}

// cutOff is how everything fails that runs.
func (r *running) cutOff() map[string]error {
	r.mu.Lock()
	defer r.mu.Unlock()
	failures := map[string]error{}
	for token, needsFiles := range r.tasks {
		if failures[token] = errCutOff; needsFiles { // which go with the worker
			failures[token] = fmt.Errorf("%w: %w", staging.ErrMissing, errCutOff)
		}
	}
	return failures
}

// giveUp tells Temporal what the worker does not finish as it ends, so that nobody waits for heartbeats.
func (s *roleWorker) giveUp(temporal client.Client) {
	if err := s.failTasks(context.Background(), temporal, s.running.cutOff()); err != nil {
		s.log.Warn("What was cut off is run again only when it has timed out", "error", err)
	}
}

// failTasks fails activities that no worker is at any more, by their tokens. Those that have ended meanwhile are no error.
func (s *roleWorker) failTasks(ctx context.Context, temporal client.Client, failures map[string]error) error {
	ctx, cancel := context.WithTimeout(ctx, giveUpTimeout)
	defer cancel()
	var errs []error
	for token, failure := range failures {
		err := temporal.CompleteActivity(ctx, []byte(token), nil, activities.Named(failure, s.mask))
		if _, over := errors.AsType[*serviceerror.NotFound](err); err != nil && !over {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
