package activities

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

// consume is a cycle of the consumer's, with what it remembers of the one before.
func (l *lapse) consume(remembered plan.CatalogSeen) plan.CatalogSeen {
	page, err := perform(l.consumer.PlanPushes, PlanRequest{Catalog: remembered})
	if err != nil {
		l.noteError(err)
		return remembered
	}
	l.plans.Add(1)
	for _, failure := range page.Failed {
		l.note(failure.Kind, failure.String())
	}
	for _, push := range page.Moves {
		err := l.deliver(push)
		if failure, ok := errors.AsType[*temporal.ApplicationError](err); ok && failure.Type() == KindBaseMissing { // as a run does
			push.FromSnapshot = true
			err = l.deliver(push)
		}
		if err == nil {
			l.pushes.Add(1)
		} else {
			l.undelivered.Store(fmt.Sprintf("%s: %v", push.Destination, err))
		}
		l.noteError(err)
	}
	return page.Catalog
}

// deliver is a run of the consumer's.
func (l *lapse) deliver(push plan.Push) error {
	c, err := perform(l.download, push)
	if err == nil {
		c, err = perform(l.decrypt, c)
	}
	if err == nil {
		_, err = perform(l.push, c)
	}
	return err
}

func (l *lapse) noteError(err error) {
	if failure, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		l.note(failure.Type(), failure.Error())
	}
}
