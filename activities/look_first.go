package activities

import (
	"context"
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// A run that no cycle has just planned, such as one that was reset, may have nothing left to do. Its first step finds out what a
// plan of now would say.

// isUploaded tells whether a plan would leave a source alone that is at tip: the bucket has that, and it is known to be what
// this producer has uploaded with the keys of now.
func (p *Producer) isUploaded(ctx context.Context, sync project.Sync, tip state) (bool, error) {
	syncs, err := p.listSyncs(ctx)
	if err != nil {
		return false, err
	}
	ledger, err := p.openLedger(ctx, syncs)
	switch {
	case err != nil && (mayPass(err) || ctx.Err() != nil):
		return false, err
	case err != nil: // nothing is known of what the bucket has
		return false, nil
	}
	planner := plan.UploadPlanner{Syncs: syncs, Only: plan.NewSubset(sync.Destination), WritePredecessor: p.WritePredecessor, Trust: ledger.trust}
	contents, err := p.readBucket(ctx, turn.At(p.Clock()), 0, syncs, plan.Absence{}, planner.Only)
	if err != nil {
		return false, err
	}
	ledger.compare(ctx, contents.chains, []project.Branch{sync.Destination})
	planner.Chains, planner.Covers = contents.chains, contents.covers
	if ledger != nil && !ledger.trust(sync.Destination, contents.chainOf(sync.Destination)).Known {
		return false, nil
	}
	candidates, _ := planner.Candidates()
	return len(candidates) == 1 && candidates[0].IsInSync(plan.Head{Commit: tip.commit}), nil
}

// pushedCommit returns what a destination is at, or the state of a set there, if a plan would leave it alone: it is where the
// bucket's newest object puts it, and that is recorded there. Else it is empty.
func (c *Consumer) pushedCommit(ctx context.Context, destination project.Branch) (string, error) {
	request := PlanRequest{Only: []project.Branch{destination}}
	look, err := c.lookTwice(ctx, request, request.PageRequest, plan.CatalogSeen{})
	if err != nil {
		return "", err
	}
	candidates := look.planner.Candidates()
	if len(candidates) != 1 {
		return "", nil
	}
	heads, err := newSurvey(scanLimits, c.planReader(false)).readHeads(ctx, headRequest{
		syncs: []project.Sync{{Source: destination, Destination: destination}},
		notes: c.notes(look.planner.Chains),
	})
	if err != nil || !candidates[0].IsInSync(heads[destination]) {
		return "", err
	}
	return look.contents.chains[destination].Tip(), nil
}

func nothingToDo(who string, destination project.Branch, commit string) string {
	what := plan.Short(commit)
	if destination.IsSet() {
		what = "state " + what
	}
	return fmt.Sprintf("nothing to do: the %s has %s", who, what)
}
