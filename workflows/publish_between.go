package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// publishAfter is how long what a child has uploaded waits for the catalog at most while others are at work. The consumer looks at once
// for what the catalog says, and else only in its next cycle.
//
// A renewal lists the bucket and asks for the last runs of all that is not done: in a cycle of many, the wait doubles up to a bound.
const (
	publishAfter       = 20 * time.Second
	publishAfterAtMost = 5 * time.Minute
)

// changePublishBetween is the change since which a cycle renews the catalog not only at its end.
const changePublishBetween = "publish-between"

// publishBetween renews the catalog while children are at work, so that what the small ones have uploaded does not wait for a huge one.
func (c *cycle[M]) publishBetween(ctx workflow.Context) {
	if c.publish == nil || c.publishes || workflow.GetVersion(ctx, changePublishBetween, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return
	}
	c.publishes = true
	workflow.Go(c.pool.timers, func(ctx workflow.Context) {
		published := c.pool.ended()
		for wait := publishAfter; ; wait = min(2*wait, publishAfterAtMost) {
			if workflow.Await(ctx, func() bool { return c.pool.ended() > published }) != nil {
				return
			}
			if namedTimer(ctx, wait, "until the catalog tells what was uploaded, if others are still at work").Get(ctx, nil) != nil {
				return
			}
			published = c.pool.ended()
			c.publishing = true
			var failed contract.Report // what fails for good, fails again at the end
			err := c.publish(ctx, &failed)
			c.publishing = false
			if err != nil {
				return
			}
		}
	})
}

// awaitPublished waits until nobody renews the catalog.
func (c *cycle[M]) awaitPublished(ctx workflow.Context) error {
	return workflow.Await(ctx, func() bool { return !c.publishing })
}
