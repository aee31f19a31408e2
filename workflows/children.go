package workflows

import (
	"slices"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// maxCrowd times max_in_flight is how many children are at work at most, slow ones included.
const maxCrowd = 4

// child is the workflow that moves one branch.
type child struct {
	id          string
	destination project.Branch
	reason      string
	input       any
	rollback    bool // it is allowed to
}

// run is a child that is at work.
type run struct {
	child
	since time.Time
	slow  bool // it no longer keeps others from starting
}

// fleet runs the children of one parent.
type fleet struct {
	role             string
	workflow         any
	limits           contract.Limits
	until            time.Time // the end of the cycle's patience
	more             bool      // others are to start after these
	searchAttributes bool
	report           *contract.Report
	progress         *progress

	reasons  reasons
	inFlight []*run
	done     int
	all      int
}

// run starts the children, a bounded number at a time, and waits for them. When the cycle has
// waited long enough, those that are still at work are reported and left alone, so that
// one huge repository does not hold up everyone else's next cycle.
func (f *fleet) run(ctx workflow.Context, children []child) error {
	f.all, f.reasons = len(children), reasonsOf(f.report.Failed)
	if f.all == 0 {
		return nil
	}
	// A cancellation is no end of patience: it is passed on to the children first.
	timerCtx, stopTimers := workflow.NewDisconnectedContext(ctx)
	defer stopTimers()
	patience := workflow.NewTimer(timerCtx, max(0, f.until.Sub(workflow.Now(ctx))))
	if f.all > f.limits.MaxInFlight {
		workflow.Go(timerCtx, f.noteSlow)
	}
	f.show()
	for i, c := range children {
		err := workflow.Await(ctx, func() bool { return f.hasRoom() || patience.IsReady() })
		if err != nil {
			return f.settle(ctx, err)
		}
		if patience.IsReady() {
			f.report.Deferred += len(children) - i
			break
		}
		f.start(ctx, c)
	}
	last := patience
	if f.more {
		last = workflow.NewTimer(timerCtx, f.limits.Wait()/4)
	}
	err := workflow.Await(ctx, func() bool { return len(f.inFlight) == 0 || patience.IsReady() || last.IsReady() })
	if err != nil {
		return f.settle(ctx, err)
	}
	for _, r := range f.inFlight {
		f.report.Running = append(f.report.Running, r.id)
	}
	return nil
}

// hasRoom tells whether another child may start. Slow ones count only against the number of all.
func (f *fleet) hasRoom() bool {
	slow := 0
	for _, r := range f.inFlight {
		if r.slow {
			slow++
		}
	}
	return len(f.inFlight)-slow < f.limits.MaxInFlight && len(f.inFlight) < maxCrowd*f.limits.MaxInFlight
}

// noteSlow marks the children that have been at work for long, until the context ends.
func (f *fleet) noteSlow(ctx workflow.Context) {
	oldest := func() *run {
		for _, r := range f.inFlight {
			if !r.slow {
				return r
			}
		}
		return nil
	}
	for {
		if workflow.Await(ctx, func() bool { return oldest() != nil }) != nil {
			return
		}
		r := oldest()
		if workflow.Sleep(ctx, r.since.Add(f.limits.Slow()).Sub(workflow.Now(ctx))) != nil {
			return
		}
		r.slow = true
	}
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
	r := &run{child: c, since: workflow.Now(ctx)}
	f.inFlight = append(f.inFlight, r)
	f.show()
	future := workflow.ExecuteChildWorkflow(ctx, f.workflow, c.input)
	workflow.Go(ctx, func(ctx workflow.Context) {
		var outcome contract.Outcome
		err := future.Get(ctx, &outcome)
		f.inFlight = slices.DeleteFunc(f.inFlight, func(other *run) bool { return other == r })
		f.done++
		f.record(c, outcome, err)
		f.show()
	})
}

// show tells how far the children are.
func (f *fleet) show() {
	f.progress.status.AtWork = nil
	for _, r := range f.inFlight {
		f.progress.status.AtWork = append(f.progress.status.AtWork, r.id)
	}
	f.progress.step("%d of %d branches done, %d at work, %d failed", f.done, f.all, len(f.inFlight), len(f.report.Failed))
}

func (f *fleet) record(c child, outcome contract.Outcome, err error) {
	failed := plan.Failure{Subject: c.destination.String(), Workflow: c.id}
	switch {
	case err == nil:
		f.report.Synced = append(f.report.Synced, c.destination.String()+": "+outcome.Summary)
		return
	case temporal.IsWorkflowExecutionAlreadyStartedError(err):
		f.report.Running = append(f.report.Running, c.id)
		if !c.rollback {
			return
		}
		failed.Kind, failed.Reason = contract.KindRollbackNotUsed, "a run that has begun before is at work on the branch, without allow_rollback\nSay it again when that run has ended."
	default:
		failed.Kind, failed.Reason = contract.Cause(err)
	}
	f.report.Failed = append(f.report.Failed, f.reasons.fit(failed))
}
