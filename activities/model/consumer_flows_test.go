package model

import (
	"context"
	"fmt"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// consuming is a push between two steps.
type consuming struct {
	Work       activities.PushWork
	Downloaded activities.Downloaded
	Decrypted  activities.Decrypted
	Worker     int
}

// consume is a run of the consumer.
func (w *world) consume(name string, p plan.Push) {
	f := &flow{world: w, name: name, areas: w.openAreas()}
	defer w.temporal.stopped(p.Destination)
	err := f.pushOnOneWorker(p)
	if kindOf(err) == activities.KindTipMoved {
		err = f.pushOnOneWorker(p)
	}
	if kindOf(err) == activities.KindBaseMissing {
		p.FromSnapshot = true
		err = f.pushOnOneWorker(p)
	}
	w.judge.failed(f.name, err)
}

func (f *flow) pushOnOneWorker(p plan.Push) error {
	err := errLost
	for start := 0; start < maxStarts && startsOver(err); start++ {
		f.worker = -1
		err = f.push(p)
	}
	return err
}

func (f *flow) push(planned plan.Push) error {
	c, err := step(f, "Download", func(ctx context.Context, worker int, in consuming) (consuming, error) {
		var err error
		in.Worker = worker
		in.Downloaded, err = f.consumerOn(worker).Download(ctx, in.Work)
		in.Work.Staged = in.Downloaded.Staged
		return in, err
	}, consuming{Work: activities.PushWork{Plan: planned}})
	if err != nil {
		return err
	}
	f.worker = c.Worker
	c, err = step(f, "Decrypt", func(ctx context.Context, worker int, in consuming) (consuming, error) {
		var err error
		in.Decrypted, err = f.consumerOn(worker).Decrypt(ctx, in.Work, activities.DecryptInput{Commit: in.Downloaded.Target.Commit, Objects: in.Downloaded.Objects})
		return in, err
	}, c)
	if err != nil {
		return err
	}
	_, err = step(f, "Push", func(ctx context.Context, worker int, in consuming) (activities.Pushed, error) {
		return f.consumerOn(worker).Push(ctx, in.Work, activities.PushInput{Target: in.Downloaded.Target, Bundles: in.Decrypted.Bundles})
	}, c)
	return err
}

func (f *flow) consumerOn(worker int) *activities.Consumer {
	c := f.consumer(worker)
	c.Staging = f.areas[worker]
	return c
}

// consumerCycle is one of the consumer's.
func (w *world) consumerCycle(name string) {
	f := &flow{world: w, name: name, worker: -1}
	w.mu.Lock()
	remembered := w.remembered
	w.mu.Unlock()
	page, err := step(f, "PlanPushes", func(ctx context.Context, worker int, in activities.PlanRequest) (plan.Page[plan.Push], error) {
		return w.consumer(worker).PlanPushes(ctx, in)
	}, activities.PlanRequest{Catalog: remembered})
	if err != nil {
		w.judge.failed(name, err)
		return
	}
	w.mu.Lock()
	if page.Catalog.Sequence > w.remembered.Sequence {
		w.remembered = page.Catalog
	}
	w.mu.Unlock()
	w.judge.planned(name, page.Failed)
	w.await(w.children(len(page.Moves), func(i int) func() {
		p := page.Moves[i]
		if !w.temporal.start(p.Destination, true) {
			return nil
		}
		return func() { w.consume(fmt.Sprint(name, " ", p.Destination.Branch), p) }
	}))
}
