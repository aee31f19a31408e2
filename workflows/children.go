package workflows

import (
	"errors"
	"slices"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// KindChildFailed is the kind of a failure whose child names none, such as one that was
// terminated by hand.
const KindChildFailed = "ChildFailed"

// child is the workflow that moves one branch.
type child struct {
	id          string
	destination project.Branch
	input       any
}

// fleet runs the children of one parent.
type fleet struct {
	workflow any
	limits   Limits
	report   *Report

	inFlight []child
}

// run starts the children, a bounded number at a time, and waits for them. When the cycle has
// waited long enough, those that are still at work are reported and left alone, so that
// one huge repository does not hold up everyone else's next cycle.
func (f *fleet) run(ctx workflow.Context, children []child) error {
	timerCtx, stopTimer := workflow.WithCancel(ctx)
	defer stopTimer()
	patience := workflow.NewTimer(timerCtx, f.limits.wait())

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
	f.inFlight = append(f.inFlight, c)
	future := workflow.ExecuteChildWorkflow(ctx, f.workflow, c.input)
	workflow.Go(ctx, func(ctx workflow.Context) {
		var outcome Outcome
		err := future.Get(ctx, &outcome)
		f.inFlight = slices.DeleteFunc(f.inFlight, func(other child) bool { return other.id == c.id })
		f.record(c, outcome, err)
	})
}

func (f *fleet) record(c child, outcome Outcome, err error) {
	switch {
	case err == nil:
		f.report.Synced = append(f.report.Synced, c.destination.String()+": "+outcome.Summary)
	case temporal.IsWorkflowExecutionAlreadyStartedError(err):
		f.report.Running = append(f.report.Running, c.id)
	default:
		kind, reason := cause(err)
		f.report.Failed = append(f.report.Failed, plan.Failure{Subject: c.destination.String(), Kind: kind, Reason: reason})
	}
}

// cause digs the step's failure out of what Temporal wraps around it.
func cause(err error) (kind, reason string) {
	var application *temporal.ApplicationError
	if errors.As(err, &application) {
		return application.Type(), application.Message()
	}
	if inner := errors.Unwrap(err); inner != nil {
		return KindChildFailed, inner.Error()
	}
	return KindChildFailed, err.Error()
}
