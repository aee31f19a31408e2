package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// ProducerSync is one cycle of the source's side: it finds the branches that moved, runs a
// ProduceProject for each, and deletes the objects that are no longer needed. It fails
// when any sync failed, after all of them were tried.
func ProducerSync(ctx workflow.Context, in contract.ProducerSyncInput) (contract.Report, error) {
	progress, err := showProgress(ctx)
	if err != nil {
		return contract.Report{}, err
	}
	in.Limits = in.Limits.WithDefaults()
	rest := in.Rest
	if rest != nil {
		ours, err := continues(ctx, rest.From)
		if err != nil {
			return contract.Report{}, err
		}
		if !ours {
			rest = nil
		}
	}
	if rest == nil {
		progress.step("comparing both ends")
		if rest, err = planUploads(ctx, in.DryRun); err != nil {
			return contract.Report{}, err
		}
		rest.Until = workflow.Now(ctx).Add(in.Limits.Wait())
	}
	report := &rest.Report
	progress.status.Report = report
	if in.DryRun {
		for _, u := range rest.Uploads {
			report.Planned = append(report.Planned, "upload "+u.Sync.Destination.String()+": "+u.Reason)
			report.Behind = append(report.Behind, plan.Branch{Destination: u.Sync.Destination.String(), Reason: u.Reason, Since: u.Follows.Modified})
		}
		return *report, report.Err()
	}

	var page []plan.Upload
	page, rest.Uploads = firstPage(ctx, in.Limits, rest.Uploads)
	if err := runUploads(ctx, in, rest, progress, page); err != nil {
		return *report, err
	}
	rest.Prune = rest.Prune || len(report.Synced) > 0
	if len(rest.Uploads) > 0 && workflow.Now(ctx).Before(rest.Until) {
		rest.From = workflow.GetInfo(ctx).WorkflowExecution.RunID
		in.Rest = rest
		return *report, workflow.NewContinueAsNewError(ctx, ProducerSync, in)
	}
	report.Deferred += len(rest.Uploads)
	if rest.Prune {
		progress.step("deleting objects that are no longer needed")
		if err := prune(ctx, report); err != nil {
			return *report, err
		}
	}
	return *report, report.Err()
}

func planUploads(ctx workflow.Context, dryRun bool) (*contract.ProducerRest, error) {
	var producer *activities.Producer
	var syncs []project.Sync
	if err := workflow.ExecuteActivity(scan(ctx, "the configured syncs"), producer.ListSyncs).Get(ctx, &syncs); err != nil {
		return nil, err
	}
	var p plan.Uploads
	request := activities.PlanRequest{Syncs: syncs, Absence: rememberedAbsence(ctx), Detail: dryRun}
	if err := workflow.ExecuteActivity(scan(ctx, fmt.Sprintf("%d sources and the bucket", len(syncs))), producer.PlanUploads, request).Get(ctx, &p); err != nil {
		return nil, err
	}
	rest := &contract.ProducerRest{
		Uploads: p.Uploads,
		Prune:   len(p.Orphans.Due) > 0 || p.Superseded > 0,
		Report: contract.Report{
			Checked: p.Checked, UpToDate: p.UpToDate, Deferred: p.Deferred, InSync: p.InSync, Failed: p.Failures,
			Absence: p.Orphans.Absence, Warning: p.Orphans.Warning,
		},
	}
	if dryRun {
		for _, destination := range p.Orphans.Due {
			rest.Report.Planned = append(rest.Report.Planned, "delete the objects of "+destination.String()+": its sync has left the configuration")
		}
	}
	return rest, nil
}

func runUploads(ctx workflow.Context, in contract.ProducerSyncInput, rest *contract.ProducerRest, progress *progress, page []plan.Upload) error {
	children := make([]child, 0, len(page))
	for _, u := range page {
		children = append(children, child{id: contract.ProduceProjectID(u.Sync.Destination), destination: u.Sync.Destination, reason: u.Reason, input: u})
	}
	fleet := fleet{
		role: contract.RoleProducer, workflow: ProduceProject, limits: in.Limits, searchAttributes: in.SearchAttributes,
		until: rest.Until, more: len(rest.Uploads) > 0, report: &rest.Report, progress: progress,
	}
	return fleet.run(ctx, children)
}

// prune deletes what is no longer needed. That it failed is one failure among those of the cycle, whose
// uploads are in the bucket all the same.
func prune(ctx workflow.Context, report *contract.Report) error {
	var producer *activities.Producer
	var pruned activities.Pruned
	request := activities.PruneRequest{Absence: report.Absence}
	err := workflow.ExecuteActivity(scan(ctx, "superseded objects and orphans"), producer.Prune, request).Get(ctx, &pruned)
	switch {
	case err == nil:
		report.Pruned, report.PruneLeft, report.Absence = pruned.Keys, pruned.Left, pruned.Absence
	case ctx.Err() != nil:
		return err
	default:
		kind, reason := contract.Cause(err)
		report.Failed = append(report.Failed, plan.Failure{Subject: "bucket", Kind: kind, Reason: "delete objects that are no longer needed: " + reason})
	}
	return nil
}
