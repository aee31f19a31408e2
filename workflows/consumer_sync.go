package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// ConsumerSync is one cycle on the destination's side. It finds the branches that are behind the bucket, and runs a
// ConsumeProject for each. When any sync failed, it fails after it has tried all.
func ConsumerSync(ctx workflow.Context, in contract.CycleInput) (contract.Report, error) {
	return runCycle(ctx, consumerCycle(), in)
}

func consumerCycle() cycleSpec[plan.Push] {
	var consumer *activities.Consumer
	return cycleSpec[plan.Push]{
		role: contract.Consumer, scan: consumer.PlanPushes, scanSummary: "the bucket and its destinations",
		workflow: ConsumeProject, verb: "push",
		child: func(p plan.Push) child {
			moved := p.MovedAt
			if moved.IsZero() { // before it was uploaded
				moved = p.Since
			}
			lag := fleet.Lag{Since: moved, AtLeast: p.MovedAt.IsZero(), Is: p.Head, Wanted: p.Commit}
			return child{destination: p.Destination, reason: p.Reason, modified: p.Since, lag: lag, again: p.Passing}
		},
		allowRollback: func(p *plan.Push) { p.AllowRollback = true },
	}
}
