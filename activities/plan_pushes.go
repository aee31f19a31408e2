package activities

import (
	"context"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// PlanPushes compares the bucket with the heads of the destinations.
func (c *Consumer) PlanPushes(ctx context.Context, request PlanRequest) (plan.Pushes, error) {
	defer startMeter(ctx, 0).stop()
	chains, foreign, err := listChains(ctx, c.Bucket)
	if err != nil {
		return plan.Pushes{}, err
	}
	heads, err := request.readHeads(ctx, c.Destination, c.allowed(chains), c.notes(chains))
	if err != nil {
		return plan.Pushes{}, err
	}
	out := plan.Consumer{
		Heads: heads, Chains: chains, Allow: c.Allow, Note: c.Verifier.Verifies(), Settings: c.Settings, Turn: request.turn(ctx), Detail: request.Detail,
	}.Plan()
	destinations := make([]project.Branch, len(out.Pushes))
	for i, p := range out.Pushes {
		destinations[i] = p.Destination
	}
	out.HoldBack(c.LastRuns.refusals(ctx, request.patient(destinations)), c.now())
	countBranches(ctx, out.UpToDate, len(out.Pushes), out.Checked-out.UpToDate-len(out.Pushes))
	out.Failures = append(out.Failures, foreign...)
	out.Warning = c.warning()
	return out, nil
}

// allowed are the branches whose Git server is asked at all.
func (c *Consumer) allowed(chains map[project.Branch]chain.Chain) (branches []project.Branch) {
	for b := range chains {
		if c.Allow.Allows(b) {
			branches = append(branches, b)
		}
	}
	return branches
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
