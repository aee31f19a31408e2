package model

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

const (
	// maxAttempts is how often an activity is tried.
	maxAttempts = 3
	// maxStarts is how often a run begins anew because its worker was lost.
	maxStarts = 3
)

// perform runs an activity as a worker does, what it is given and what it returns as JSON.
func perform[I, O any](ctx context.Context, activity func(context.Context, I) (O, error), in I) (out O, err error) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{
		BackgroundActivityContext: ctx, Interceptors: []interceptor.WorkerInterceptor{&activities.ErrorNaming{Mask: foreign.NewMask("a secret that nobody tells")}},
	})
	env.RegisterActivity(activity)
	value, err := env.ExecuteActivity(activity, in)
	if err == nil {
		err = value.Get(&out)
	}
	return out, err
}

// flow is a workflow. It outlives the workers that do its work.
type flow struct {
	*world
	name string
	// worker has the run's files; negative while any may take the next activity.
	worker int
	areas  [2]*staging.Area // of the workers, for a run
}

// step has an activity done, as often as it takes. The first attempt of a flow is on the worker that the schedule chooses.
func step[I, O any](f *flow, what string, do func(ctx context.Context, worker int, in I) (O, error), in I) (out O, err error) {
	for n := range maxAttempts {
		a := &attempt{name: fmt.Sprintf("%s: %s %d", f.name, what, n+1), worker: f.worker, lost: make(chan struct{})}
		type result struct {
			out O
			err error
		}
		results := make(chan result, 1)
		f.flows.Go(func() {
			var r result
			if o := f.ask(a, begins); o.refused != nil {
				r.err = o.refused
			} else {
				r.out, r.err = perform(context.WithValue(f.ctx, attemptKey{}, a), func(ctx context.Context, in I) (O, error) { return do(ctx, a.worker, in) }, in)
			}
			results <- r
		})
		select {
		case r := <-results:
			out, err = r.out, r.err
		case <-a.lost:
			err = errLost
		}
		if f.isOver() {
			return out, errKilled
		}
		if err == nil || errors.Is(err, errLost) && f.worker >= 0 && !a.again || !errors.Is(err, errLost) && !mayBeRetried(err) {
			return out, err
		}
	}
	return out, err
}

func (f *flow) isOver() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended
}

// producing is an upload between two steps.
type producing struct {
	Work      activities.UploadWork
	Cloned    activities.Cloned
	Packaged  activities.Packaged
	Encrypted activities.Encrypted
	Worker    int
}

// produce is a run of the producer.
func (w *world) produce(name string, u plan.Upload) {
	f := &flow{world: w, name: name, areas: w.openAreas()}
	var uploaded activities.Uploaded
	err := errLost
	for start := 0; start < maxStarts && startsOver(err); start++ {
		f.worker = -1
		uploaded, err = f.upload(u)
	}
	w.judge.failed(f.name, err)
	w.temporal.over(u.Sync.Destination, uploaded, err)
}

// startsOver tells whether a run begins anew: its files are gone.
func startsOver(err error) bool {
	return errors.Is(err, errLost) || kindOf(err) == activities.KindStagedFileMissing
}

func (f *flow) upload(u plan.Upload) (uploaded activities.Uploaded, err error) {
	on := func(worker int) *activities.Producer {
		p := f.producer(worker)
		p.Staging = f.areas[worker]
		return p
	}
	p, err := step(f, "Clone", func(ctx context.Context, worker int, in producing) (producing, error) {
		var err error
		in.Worker = worker
		in.Cloned, err = on(worker).Clone(ctx, in.Work)
		in.Work.Staged = in.Cloned.Staged
		return in, err
	}, producing{Work: activities.UploadWork{Plan: u}})
	if err != nil {
		return uploaded, err
	}
	f.worker = p.Worker
	p, err = step(f, "Package", func(ctx context.Context, worker int, in producing) (producing, error) {
		var err error
		in.Packaged, err = on(worker).Package(ctx, in.Work, activities.PackageInput{Bundle: in.Cloned.Bundle, Before: in.Cloned.Before, WhySnapshot: in.Cloned.WhySnapshot})
		return in, err
	}, p)
	if err != nil {
		return uploaded, err
	}
	p, err = step(f, "Encrypt", func(ctx context.Context, worker int, in producing) (producing, error) {
		var err error
		in.Encrypted, err = on(worker).Encrypt(ctx, in.Work)
		return in, err
	}, p)
	if err != nil {
		return uploaded, err
	}
	return step(f, "Upload", func(ctx context.Context, worker int, in producing) (activities.Uploaded, error) {
		uploaded, err := on(worker).Upload(ctx, in.Work, activities.UploadInput{
			ID: in.Cloned.Bundle.ID, CreatedAt: in.Packaged.CreatedAt, Note: in.Packaged.Note, ManifestSHA256: in.Packaged.ManifestSHA256, Size: in.Encrypted.Size,
		})
		if err == nil {
			f.judge.uploaded(attemptOf(ctx), uploaded.Key)
		}
		return uploaded, err
	}, p)
}

// producerCycle is one of the producer's.
func (w *world) producerCycle(name string) {
	f := &flow{world: w, name: name, worker: -1}
	page, err := step(f, "PlanUploads", func(ctx context.Context, worker int, in activities.PlanRequest) (plan.Page[plan.Upload], error) {
		return w.producer(worker).PlanUploads(ctx, in)
	}, activities.PlanRequest{IntervalSeconds: 300})
	if err != nil {
		w.judge.failed(name, err)
		return
	}
	w.judge.planned(name, page.Failed)
	runs := w.children(len(page.Moves), func(i int) func() {
		u := page.Moves[i]
		if !w.temporal.start(u.Sync.Destination, false) {
			return nil
		}
		return func() { w.produce(name+" "+u.Sync.Destination.Branch, u) }
	})
	if len(page.Moves) > 0 {
		w.await(runs)
		_, err = step(f, "Publish", func(ctx context.Context, worker int, _ int) (int, error) { return 0, w.producer(worker).Publish(ctx) }, 0)
		w.judge.failed(name, err)
	}
	if len(page.Moves) == 0 && page.Superseded == 0 {
		return
	}
	_, err = step(f, "Prune", func(ctx context.Context, worker int, in activities.PruneRequest) (activities.Pruned, error) {
		return w.producer(worker).Prune(ctx, in)
	}, activities.PruneRequest{Absence: page.Orphans.Absence})
	w.judge.failed(name, err)
}

// children starts runs, and returns what is closed when they are over.
func (w *world) children(n int, start func(int) func()) <-chan struct{} {
	over := make(chan struct{})
	ended := make(chan struct{}, n)
	started := 0
	for i := range n {
		run := start(i)
		if run == nil {
			continue
		}
		started++
		w.flows.Go(func() {
			run()
			ended <- struct{}{}
		})
	}
	w.flows.Go(func() {
		for range started {
			<-ended
		}
		close(over)
	})
	return over
}

// await waits for runs, but not for ever.
func (w *world) await(runs <-chan struct{}) {
	w.mu.Lock()
	hurry := w.hurry
	w.mu.Unlock()
	select {
	case <-runs:
	case <-hurry:
	}
}
