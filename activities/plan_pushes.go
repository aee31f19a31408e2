package activities

import (
	"context"
	"maps"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

// PlanPushes compares the bucket with the heads of the destinations.
func (c *Consumer) PlanPushes(ctx context.Context) (plan.Pushes, error) {
	defer startMeter(ctx, 0).stop()
	chains, foreign, err := listChains(ctx, c.Bucket)
	if err != nil {
		return plan.Pushes{}, err
	}
	heads, err := readHeads(ctx, c.Destination, slices.Collect(maps.Keys(chains)))
	if err != nil {
		return plan.Pushes{}, err
	}
	out := plan.Consumer{Heads: heads, Chains: chains}.Plan()
	out.Failures = append(out.Failures, foreign...)
	return out, nil
}
