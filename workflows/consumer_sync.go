package workflows

import (
	"slices"
	"strings"

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
		if rest, err = planPushes(ctx, in); err != nil {
			return contract.Report{}, err
		}
		rest.Until = workflow.Now(ctx).Add(in.Limits.Wait())
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

	var page []plan.Push
	page, rest.Pushes = firstPage(ctx, in.Limits, rest.Pushes)
	if err := runPushes(ctx, in, rest, progress, page); err != nil {
		return *report, err
	}
	if len(rest.Pushes) > 0 && workflow.Now(ctx).Before(rest.Until) {
		rest.From = workflow.GetInfo(ctx).WorkflowExecution.RunID
		in.Rest = rest
		return *report, workflow.NewContinueAsNewError(ctx, ConsumerSync, in)
	}
	report.Deferred += len(rest.Pushes)
	return *report, report.Err()
}

func planPushes(ctx workflow.Context, in contract.ConsumerSyncInput) (*contract.ConsumerRest, error) {
	allowed, warning, err := rollbacks(ctx, in)
	if err != nil {
		return nil, err
	}
	var consumer *activities.Consumer
	var p plan.Pushes
	request := activities.PlanRequest{Detail: in.DryRun, Retry: allowed}
	if err := workflow.ExecuteActivity(scan(ctx, "the bucket and its destinations"), consumer.PlanPushes, request).Get(ctx, &p); err != nil {
		return nil, err
	}
	rest := &contract.ConsumerRest{
		Pushes: p.Pushes,
		Report: contract.Report{Checked: p.Checked, UpToDate: p.UpToDate, Deferred: p.Deferred, InSync: p.InSync, Failed: p.Failures, Warning: p.Warning},
	}
	if warning != "" {
		rest.Report.Warning = strings.TrimPrefix(rest.Report.Warning+"; "+warning, "; ")
	}
	allow(rest, allowed)
	return rest, nil
}

// allow passes the operator's word on to the pushes that it is about. For whom there is none, it was
// said in vain.
func allow(rest *contract.ConsumerRest, destinations []string) {
	for _, destination := range destinations {
		i := slices.IndexFunc(rest.Pushes, func(p plan.Push) bool { return p.Destination.String() == destination })
		if i >= 0 {
			rest.Pushes[i].AllowRollback = true
			continue
		}
		rest.Report.Failed = append(rest.Report.Failed, plan.Failure{
			Subject: destination, Kind: contract.KindRollbackNotUsed,
			Reason: "allow_rollback names a destination that is not behind the bucket\nCheck its name (group/name@branch), and the other failures of this report.",
		})
	}
}

func runPushes(ctx workflow.Context, in contract.ConsumerSyncInput, rest *contract.ConsumerRest, progress *progress, page []plan.Push) error {
	children := make([]child, 0, len(page))
	for _, p := range page {
		children = append(children, child{id: contract.ConsumeProjectID(p.Destination), destination: p.Destination, reason: p.Reason, input: p, rollback: p.AllowRollback})
	}
	fleet := fleet{
		role: contract.RoleConsumer, workflow: ConsumeProject, limits: in.Limits, searchAttributes: in.SearchAttributes,
		until: rest.Until, more: len(rest.Pushes) > 0, report: &rest.Report, progress: progress,
	}
	return fleet.run(ctx, children)
}
