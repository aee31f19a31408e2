package activities

import (
	"context"
	"maps"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// PlanPushes compares the bucket with the heads of the destinations.
func (c *Consumer) PlanPushes(ctx context.Context, request PlanRequest) (plan.Pushes, error) {
	defer startMeter(ctx, 0).stop()
	now := turn.At(c.now())
	held, err := readBucket(ctx, c.Bucket, now, selection{allow: c.Allow})
	if err != nil {
		return plan.Pushes{}, err
	}
	heads, err := request.readHeads(ctx, c.Destination, slices.Collect(maps.Keys(held.chains)), c.notes(held.chains))
	if err != nil {
		return plan.Pushes{}, err
	}
	out := plan.Consumer{
		Heads: heads, Chains: held.chains, Allow: c.Allow, Note: c.Verifier.Verifies(), Settings: c.Settings, Turn: now, Detail: request.Detail,
	}.Plan()
	out.Checked += held.refused
	destinations := make([]project.Branch, len(out.Pushes))
	for i, p := range out.Pushes {
		destinations[i] = p.Destination
	}
	out.HoldBack(c.LastRuns.refusals(ctx, request.patient(destinations)), c.now())
	countBranches(ctx, out.UpToDate, len(out.Pushes), out.Checked-out.UpToDate-len(out.Pushes))
	out.Failures = explained(append(out.Failures, held.failures...))
	out.Warning = c.warning()
	return out.Bounded(now), nil
}

// notes are the refs that say of each branch that its newest object has been looked at.
func (c *Consumer) notes(chains map[project.Branch]chain.Chain) map[project.Branch]string {
	notes := map[project.Branch]string{}
	for b, chain := range chains {
		if c.Verifier.Verifies() {
			notes[b] = objectRef(b, chain.Newest().Modified)
		}
	}
	return notes
}
