package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// ConsumerSync is one cycle of the destination's side: it finds the branches that are behind
// the bucket and runs a ConsumeProject for each. It fails when any sync failed, after all
// of them were tried.
func ConsumerSync(ctx workflow.Context, in ConsumerSyncInput) (Report, error) {
	in.Limits = in.Limits.withDefaults()
	rest := in.Rest
	if rest == nil || rest.From != workflow.GetInfo(ctx).ContinuedExecutionRunID {
		var err error
		if rest, err = planPushes(ctx); err != nil {
			return Report{}, err
		}
		for i, p := range rest.Pushes {
			rest.Pushes[i].AllowRollback = slices.Contains(in.AllowRollback, p.Destination.String())
		}
	}
	report := &rest.Report
	if in.DryRun {
		for _, p := range rest.Pushes {
			report.Planned = append(report.Planned, "push "+p.Destination.String()+": "+p.Reason)
		}
		return *report, report.err()
	}

	page := rest.Pushes[:min(in.PageSize, len(rest.Pushes))]
	if err := runPushes(ctx, in.Limits, report, page); err != nil {
		return *report, err
	}
	rest.Pushes = rest.Pushes[len(page):]
	if len(rest.Pushes) > 0 {
		rest.From = workflow.GetInfo(ctx).WorkflowExecution.RunID
		in.Rest = rest
		return *report, workflow.NewContinueAsNewError(ctx, ConsumerSync, in)
	}
	return *report, report.err()
}

func planPushes(ctx workflow.Context) (*ConsumerRest, error) {
	var consumer *activities.Consumer
	var p plan.Pushes
	if err := workflow.ExecuteActivity(scan(ctx), consumer.PlanPushes).Get(ctx, &p); err != nil {
		return nil, err
	}
	return &ConsumerRest{
		Pushes: p.Pushes,
		Report: Report{Checked: p.Checked, UpToDate: p.UpToDate, Failed: p.Failures, Warning: p.Warning},
	}, nil
}

func runPushes(ctx workflow.Context, limits Limits, report *Report, pushes []plan.Push) error {
	children := make([]child, 0, len(pushes))
	for _, p := range pushes {
		children = append(children, child{ConsumeProjectID(p.Destination), p.Destination, p})
	}
	fleet := fleet{workflow: ConsumeProject, limits: limits, report: report}
	return fleet.run(ctx, children)
}
