package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// ProducerSync is one cycle on the source's side. It finds the branches that moved, runs a ProduceProject for each,
// and deletes the objects that are no longer needed. When any sync failed, it fails after it has tried all.
func ProducerSync(ctx workflow.Context, in contract.CycleInput) (contract.Report, error) {
	return runCycle(ctx, producerCycle(), in)
}

func producerCycle() cycleSpec[plan.Upload] {
	var producer *activities.Producer
	return cycleSpec[plan.Upload]{
		role: contract.Producer, scan: producer.PlanUploads, scanSummary: "the configured syncs, their sources and the bucket",
		workflow: ProduceProject, verb: "upload", publish: publish, prune: prune,
		child: func(u plan.Upload) child {
			lag := fleet.Lag{Wanted: u.SourceCommit}
			if n := len(u.SeenChain.Commits); n > 0 {
				lag.Is = u.SeenChain.Commits[n-1]
			}
			return child{destination: u.Sync.Destination, reason: u.Reason, modified: u.SeenChain.Modified, lag: lag, again: u.Passing}
		},
	}
}

// publish renews the catalog. If it fails, the report has one more failure.
func publish(ctx workflow.Context, report *contract.Report) error {
	var producer *activities.Producer
	err := workflow.ExecuteActivity(scanContext(ctx, "the catalog, with what was uploaded"), producer.Publish).Get(ctx, nil)
	if err != nil && ctx.Err() == nil {
		kind, reason := contract.FailureOf(err)
		report.Fail(plan.Failure{Subject: "bucket", Kind: kind, Reason: "renew the catalog: " + reason})
		return nil
	}
	return err
}

// prune deletes objects that are no longer needed. If it fails, the report has one more failure, and the cycle's
// uploads stay valid.
func prune(ctx workflow.Context, report *contract.Report) error {
	var producer *activities.Producer
	var pruned activities.Pruned
	request := activities.PruneRequest{Absence: report.Absence}
	err := workflow.ExecuteActivity(scanContext(ctx, "superseded objects and orphans"), producer.Prune, request).Get(ctx, &pruned)
	switch {
	case err == nil:
		report.PruneLeft, report.Absence = pruned.Left, pruned.Absence
		for _, key := range pruned.Keys {
			report.AddPruned(key)
		}
	case ctx.Err() != nil:
		return err
	default:
		kind, reason := contract.FailureOf(err)
		report.Fail(plan.Failure{Subject: "bucket", Kind: kind, Reason: "delete objects that are no longer needed: " + reason})
	}
	return nil
}
