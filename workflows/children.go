package workflows

import (
	"slices"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// inFlightFactor times max_in_flight is how many children are at work at most, slow ones included.
const inFlightFactor = 4

// child is the workflow that moves one branch.
type child struct {
	id          string
	destination project.Branch
	reason      string
	modified    time.Time // when the branch's newest object was uploaded
	input       any
	rollback    bool // it is allowed to
}

// runningChild is a child that has not ended.
type runningChild struct {
	child
	since time.Time
	slow  bool // it no longer keeps others from starting
}

// childPool runs the children of one parent.
type childPool struct {
	role             contract.Role
	workflow         any
	limits           contract.Limits
	searchAttributes bool
	state            *contract.Continuation
	progress         *progress

	inFlight    []*runningChild
	expected    int // children in all, as far as they are planned
	timeUp      workflow.Future
	watchesSlow bool

	timers     workflow.Context
	stopTimers workflow.CancelFunc
}

// startAll starts children, a bounded number at a time, and returns how many it has started. When the cycle has waited long
// enough those are not all.
func (f *childPool) startAll(ctx workflow.Context, children []child) (started int, err error) {
	if len(children) == 0 {
		return 0, nil
	}
	f.startTimer(ctx)
	f.expected = f.state.Moved + len(children)
	f.showCounts()
	for i, c := range children {
		if !f.hasRoom() {
			f.watchSlow()
		}
		err := workflow.Await(ctx, func() bool { return f.hasRoom() || f.timeUp.IsReady() })
		if err != nil {
			return i, f.awaitCancelled(ctx, err)
		}
		if f.timeUp.IsReady() {
			return i, nil
		}
		f.startOne(ctx, c)
	}
	return len(children), nil
}

// startTimer starts the clock. A cancellation is no end of patience: it is passed on to the children first.
func (f *childPool) startTimer(ctx workflow.Context) {
	if f.timeUp == nil {
		f.timers, f.stopTimers = workflow.NewDisconnectedContext(ctx)
		f.timeUp = workflow.NewTimer(f.timers, max(0, f.state.Until.Sub(workflow.Now(ctx))))
	}
}

// awaitAll waits for the children. When the cycle has waited long enough, those that are still at work are reported and left
// alone, so that one huge repository does not hold up everyone else's next cycle.
func (f *childPool) awaitAll(ctx workflow.Context) error {
	if f.timeUp == nil {
		return nil
	}
	if err := workflow.Await(ctx, func() bool { return len(f.inFlight) == 0 || f.timeUp.IsReady() }); err != nil {
		return f.awaitCancelled(ctx, err)
	}
	f.stopTimers()
	f.reportRunning()
	return nil
}

// abandonSlow waits only for those that are not slow, as others are to start. Whoever continues the cycle is not told when the
// slow ones end, and counts them until it ends. It is false when the cycle has waited long enough.
func (f *childPool) abandonSlow(ctx workflow.Context) (abandoned bool, err error) {
	if len(f.inFlight) > 0 {
		f.watchSlow()
		err := workflow.Await(ctx, func() bool { return f.countSlow() == len(f.inFlight) || f.timeUp.IsReady() })
		if err != nil {
			return false, f.awaitCancelled(ctx, err)
		}
		if f.timeUp.IsReady() {
			return false, nil
		}
	}
	f.state.Abandoned += len(f.inFlight)
	f.reportRunning()
	return true, nil
}

func (f *childPool) reportRunning() {
	for _, r := range f.inFlight {
		f.state.Report.AddRunning(r.id)
	}
}

// hasRoom tells whether another child may start. Slow ones count only against the number of all, whichever run of the
// cycle has started them.
func (f *childPool) hasRoom() bool {
	all := len(f.inFlight) + f.state.Abandoned
	return len(f.inFlight)-f.countSlow() < f.limits.MaxInFlight && all < inFlightFactor*f.limits.MaxInFlight
}

func (f *childPool) countSlow() (slow int) {
	for _, r := range f.inFlight {
		if r.slow {
			slow++
		}
	}
	return slow
}

// watchSlow begins to tell slow children, when somebody waits for that.
func (f *childPool) watchSlow() {
	if !f.watchesSlow {
		f.watchesSlow = true
		workflow.Go(f.timers, f.markSlow)
	}
}

// markSlow marks the children that have been at work for long, until the context ends.
func (f *childPool) markSlow(ctx workflow.Context) {
	oldest := func() *runningChild {
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
		if workflow.Sleep(ctx, r.since.Add(f.limits.SlowAfter()).Sub(workflow.Now(ctx))) != nil {
			return
		}
		r.slow = true
	}
}

// awaitCancelled waits until children that were cancelled along with their parent have cleaned up.
func (f *childPool) awaitCancelled(ctx workflow.Context, cause error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err := workflow.Await(ctx, func() bool { return len(f.inFlight) == 0 }); err != nil {
		return err
	}
	return cause
}

func (f *childPool) startOne(ctx workflow.Context, c child) {
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            c.id,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		// A child owns files and may be in the middle of a push: it outlives its parent.
		ParentClosePolicy:   enums.PARENT_CLOSE_POLICY_ABANDON,
		WaitForCancellation: true,
	})
	ctx = withDescription(ctx, f.role.Name, c, f.searchAttributes)
	r := &runningChild{child: c, since: workflow.Now(ctx)}
	f.inFlight = append(f.inFlight, r)
	f.state.Moved++
	f.showCounts()
	future := workflow.ExecuteChildWorkflow(ctx, f.workflow, c.input)
	workflow.Go(ctx, func(ctx workflow.Context) {
		var outcome contract.Outcome
		err := future.Get(ctx, &outcome)
		f.inFlight = slices.DeleteFunc(f.inFlight, func(other *runningChild) bool { return other == r })
		f.recordEnd(c, outcome, err)
		f.showCounts()
	})
}

// showCounts tells how far the children are.
func (f *childPool) showCounts() {
	f.progress.status.AtWork = nil
	for _, r := range f.inFlight {
		f.progress.status.AtWork = append(f.progress.status.AtWork, r.id)
	}
	done := f.state.Moved - f.state.Abandoned - len(f.inFlight)
	f.progress.step("%d of %d branches done, %d at work, %d failed", done, f.expected, len(f.inFlight), f.state.Report.Count())
}

func (f *childPool) recordEnd(c child, outcome contract.Outcome, err error) {
	failed := plan.Failure{Subject: c.destination.String(), Workflow: c.id}
	switch {
	case err == nil:
		f.state.Report.AddSynced(c.destination.String() + ": " + outcome.Summary)
		return
	case temporal.IsWorkflowExecutionAlreadyStartedError(err):
		f.state.Report.AddRunning(c.id)
		if !c.rollback {
			return
		}
		failed.Kind, failed.Reason = plan.KindRollbackNotUsed, "a run that has begun before is at work on the branch, without allow_rollback\nSay it again when that run has ended."
	default:
		failed.Kind, failed.Reason = contract.FailureOf(err)
		if failed.Kind == plan.KindChildFailed { // all others say what to do themselves
			failed.Reason = activities.WithRemedy(failed.Kind, failed.Reason)
		}
	}
	f.state.Report.Fail(failed)
}
