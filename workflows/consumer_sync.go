package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// ConsumerSync is one cycle of the destination's side: it finds the branches that are behind
// the bucket and runs a ConsumeProject for each. It fails when any sync failed, after all
// of them were tried.
func ConsumerSync(ctx workflow.Context, in contract.ConsumerSyncInput) (contract.Report, error) {
	progress, err := showProgress(ctx)
	if err != nil {
		return contract.Report{}, err
	}
	in.Limits = in.Limits.WithDefaults()
	rest := in.Rest
	if rest == nil || rest.From != workflow.GetInfo(ctx).ContinuedExecutionRunID {
		progress.step("comparing both ends")
		if rest, err = planPushes(ctx, in.DryRun); err != nil {
			return contract.Report{}, err
		}
		for i, p := range rest.Pushes {
			rest.Pushes[i].AllowRollback = slices.Contains(in.AllowRollback, p.Destination.String())
		}
	}
	report := &rest.Report
	progress.status.Report = report
	if in.DryRun {
		for _, p := range rest.Pushes {
			report.Planned = append(report.Planned, "push "+p.Destination.String()+": "+p.Reason)
			report.Behind = append(report.Behind, plan.Branch{Destination: p.Destination.String(), Reason: p.Reason, Since: p.Since})
		}
		return *report, report.Err()
	}

	page := rest.Pushes[:min(in.PageSize, len(rest.Pushes))]
	if err := runPushes(ctx, in, report, progress, page); err != nil {
		return *report, err
	}
	rest.Pushes = rest.Pushes[len(page):]
	if len(rest.Pushes) > 0 {
		rest.From = workflow.GetInfo(ctx).WorkflowExecution.RunID
		in.Rest = rest
		return *report, workflow.NewContinueAsNewError(ctx, ConsumerSync, in)
	}
	return *report, report.Err()
}

func planPushes(ctx workflow.Context, detail bool) (*contract.ConsumerRest, error) {
	var consumer *activities.Consumer
	var p plan.Pushes
	if err := workflow.ExecuteActivity(scan(ctx, "the bucket and its destinations"), consumer.PlanPushes, activities.PlanRequest{Detail: detail}).Get(ctx, &p); err != nil {
		return nil, err
	}
	return &contract.ConsumerRest{
		Pushes: p.Pushes,
		Report: contract.Report{Checked: p.Checked, UpToDate: p.UpToDate, InSync: p.InSync, Failed: p.Failures, Warning: p.Warning},
	}, nil
}

func runPushes(ctx workflow.Context, in contract.ConsumerSyncInput, report *contract.Report, progress *progress, pushes []plan.Push) error {
	children := make([]child, 0, len(pushes))
	for _, p := range pushes {
		children = append(children, child{contract.ConsumeProjectID(p.Destination), p.Destination, p.Reason, p})
	}
	fleet := fleet{
		role: contract.RoleConsumer, workflow: ConsumeProject, limits: in.Limits, searchAttributes: in.SearchAttributes,
		report: report, progress: progress,
	}
	return fleet.run(ctx, children)
}
