package workflows

import (
	"slices"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// child is the workflow that moves one branch.
type child struct {
	id          string
	destination project.Branch
	reason      string
	input       any
}

// fleet runs the children of one parent.
type fleet struct {
	role             string
	workflow         any
	limits           contract.Limits
	searchAttributes bool
	report           *contract.Report
	progress         *progress

	inFlight []child
	done     int
	all      int
}

// run starts the children, a bounded number at a time, and waits for them. When the cycle has
// waited long enough, those that are still at work are reported and left alone, so that
// one huge repository does not hold up everyone else's next cycle.
func (f *fleet) run(ctx workflow.Context, children []child) error {
	// A cancellation is no end of patience: it is passed on to the children first.
	timerCtx, stopTimer := workflow.NewDisconnectedContext(ctx)
	defer stopTimer()
	patience := workflow.NewTimer(timerCtx, f.limits.Wait())
	f.all = len(children)
	f.show()

	for i, c := range children {
		err := workflow.Await(ctx, func() bool { return len(f.inFlight) < f.limits.MaxInFlight || patience.IsReady() })
		if err != nil {
			return f.settle(ctx, err)
		}
		if len(f.inFlight) >= f.limits.MaxInFlight {
			f.report.Deferred += len(children) - i
			break
		}
		f.start(ctx, c)
	}
	err := workflow.Await(ctx, func() bool { return len(f.inFlight) == 0 || patience.IsReady() })
	if err != nil {
		return f.settle(ctx, err)
	}
	for _, c := range f.inFlight {
		f.report.Running = append(f.report.Running, c.id)
	}
	return nil
}

// settle waits until children that were cancelled along with their parent have cleaned up.
func (f *fleet) settle(ctx workflow.Context, cause error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err := workflow.Await(ctx, func() bool { return len(f.inFlight) == 0 }); err != nil {
		return err
	}
	return cause
}

func (f *fleet) start(ctx workflow.Context, c child) {
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            c.id,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		// A child owns files and may be in the middle of a push: it outlives its parent.
		ParentClosePolicy:   enums.PARENT_CLOSE_POLICY_ABANDON,
		WaitForCancellation: true,
	})
	ctx = describe(ctx, f.role, c, f.searchAttributes)
	f.inFlight = append(f.inFlight, c)
	f.show()
	future := workflow.ExecuteChildWorkflow(ctx, f.workflow, c.input)
	workflow.Go(ctx, func(ctx workflow.Context) {
		var outcome contract.Outcome
		err := future.Get(ctx, &outcome)
		f.inFlight = slices.DeleteFunc(f.inFlight, func(other child) bool { return other.id == c.id })
		f.done++
		f.record(c, outcome, err)
		f.show()
	})
}

// show tells how far the children are.
func (f *fleet) show() {
	f.progress.status.AtWork = nil
	for _, c := range f.inFlight {
		f.progress.status.AtWork = append(f.progress.status.AtWork, c.id)
	}
	f.progress.step("%d of %d branches done, %d at work, %d failed", f.done, f.all, len(f.inFlight), len(f.report.Failed))
}

func (f *fleet) record(c child, outcome contract.Outcome, err error) {
	switch {
	case err == nil:
		f.report.Synced = append(f.report.Synced, c.destination.String()+": "+outcome.Summary)
	case temporal.IsWorkflowExecutionAlreadyStartedError(err):
		f.report.Running = append(f.report.Running, c.id)
	default:
		kind, reason := contract.Cause(err)
		f.report.Failed = append(f.report.Failed, plan.Failure{Subject: c.destination.String(), Kind: kind, Reason: reason, Workflow: c.id})
	}
}
