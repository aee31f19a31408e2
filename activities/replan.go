package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// replan reads what the bucket has for the branch now. If its sync has left the configuration, that may be nothing,
// and nothing is left to do. It fails with ErrWithheld or ErrGone if that is less than the plan expects, twice: see
// plan.PushPlanner.Withheld.
func (c *Consumer) replan(ctx context.Context, push plan.Push) (plan.Push, error) {
	for looks := 1; ; looks++ {
		contents, err := readBucket(ctx, c.Bucket, selection{order: turn.At(c.Clock()), only: plan.NewSubset(push.Destination).Has, allow: c.Allow})
		if err != nil {
			return push, err
		}
		push.Objects = nil
		chain, ok := contents.chains[push.Destination]
		switch expects := !push.Expected.Modified.IsZero(); {
		case !ok && !expects:
			return push, nil
		case ok && !push.Expected.Withheld(chain):
			push.Commit, push.Objects, push.Since = chain.Tip(), chain.Restoring(), chain.Newest().Modified
			return push, nil
		case looks == 1:
		case !ok:
			return push, c.checkGone(ctx, push)
		default:
			return push, fmt.Errorf("destination %s: %w: it was uploaded %s, and the one in the producer's catalog %s", push.Destination,
				ErrWithheld, chain.Newest().Modified.UTC().Format(time.RFC3339), push.Expected.Modified.UTC().Format(time.RFC3339))
		}
	}
}

// checkGone tells whether the bucket may have nothing for a destination any more: its sync has left the producer's catalog, or is
// spelled in another way there, since the push was planned. A store that lists an object for plans only would keep it back unnoticed.
func (c *Consumer) checkGone(ctx context.Context, push plan.Push) error {
	look, err := c.readCatalog(ctx, plan.CatalogSeen{})
	if err != nil {
		return err
	}
	if look.current != nil {
		if entry, _ := look.current.Sync(push.Destination); entry.Object == nil || entry.Destination != push.Destination {
			return nil
		}
	}
	return fmt.Errorf("destination %s: %w, which was uploaded %s", push.Destination, ErrGone, push.Expected.Modified.UTC().Format(time.RFC3339))
}
