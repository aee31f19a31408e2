package workflows

import (
	"slices"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// child is the workflow that moves one branch.
type child struct {
	id          string
	destination project.Branch
	reason      string
	modified    time.Time // when the branch's newest object was uploaded
	lag         fleet.Lag // that it is to end
	input       any
	rollback    bool // it may roll the branch back
	again       bool // it has failed before in a way that passes
}

// runningChild is a child that has not ended.
type runningChild struct {
	child
	since time.Time
	slow  bool // it no longer counts against max_in_flight
	// started is ready when the server has started it, or could not.
	started workflow.Future
}

// childPool runs the children of one parent.
type childPool struct {
	role             contract.Role
	workflow         any
	limits           contract.Limits
	searchAttributes bool
	state            *contract.Continuation
	progress         *progress
	lagging          lagging

	inFlight    []*runningChild
	expected    int // children in all, as far as they are planned
	timeUp      workflow.Future
	watchesSlow bool
	outage      outage
	halted      bool // no more are started

	timers     workflow.Context
	stopTimers workflow.CancelFunc
}

// startAll starts children, a bounded number at a time, and returns how many it has started. If the cycle's time is
// up, those are not all.
func (p *childPool) startAll(ctx workflow.Context, children []child) (started int, err error) {
	if len(children) == 0 {
		return 0, nil
	}
	p.startTimer(ctx)
	p.expected = p.state.Moved + len(children)
	p.showCounts()
	for i, c := range children {
		if !p.hasRoom() {
			p.watchSlow()
		}
		err := workflow.Await(ctx, func() bool { return p.hasRoom() || p.timeUp.IsReady() })
		if err != nil {
			return i, p.awaitCancelled(ctx, err)
		}
		if p.timeUp.IsReady() || p.halt(ctx, len(children)-i) {
			return i, nil
		}
		p.startOne(ctx, c)
	}
	return len(children), nil
}

// startTimer starts the timer for the cycle's time. The timer outlives a cancellation, which has to reach the
// children first.
func (p *childPool) startTimer(ctx workflow.Context) {
	if p.timeUp == nil {
		p.timers, p.stopTimers = workflow.NewDisconnectedContext(ctx)
		p.timeUp = namedTimer(p.timers, max(0, p.state.Until.Sub(workflow.Now(ctx))), "how long the cycle waits for its syncs")
	}
}

// awaitAll waits for the children. When the cycle's time is up, it reports those that are still running and leaves
// them alone, so that one huge repository does not delay everyone else's next cycle.
func (p *childPool) awaitAll(ctx workflow.Context) error {
	if p.timeUp == nil {
		return nil
	}
	if err := workflow.Await(ctx, func() bool { return len(p.inFlight) == 0 || p.timeUp.IsReady() }); err != nil {
		return p.awaitCancelled(ctx, err)
	}
	p.stopTimers()
	if err := p.awaitStarts(ctx); err != nil {
		return p.awaitCancelled(ctx, err)
	}
	p.reportRunning()
	return nil
}

// awaitStarts waits until all children have started that are to outlive the cycle. One whose start its parent does not live to see
// has its ID, and never a task: it would keep its branch for ever (github.com/temporalio/temporal/issues/4812).
func (p *childPool) awaitStarts(ctx workflow.Context) error {
	haveStarted := func() bool {
		return !slices.ContainsFunc(p.inFlight, func(r *runningChild) bool { return !r.started.IsReady() })
	}
	if haveStarted() || workflow.GetVersion(ctx, "await-starts", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return nil
	}
	return workflow.Await(ctx, haveStarted)
}

// ended counts the children of all the cycle's runs that are known to have ended.
func (p *childPool) ended() int { return p.state.Moved - p.state.Abandoned - len(p.inFlight) }

func (p *childPool) reportRunning() {
	for _, r := range p.inFlight {
		p.state.Report.AddRunning(r.id)
	}
}

// awaitCancelled waits until the children, which were cancelled together with their parent, have cleaned up.
func (p *childPool) awaitCancelled(ctx workflow.Context, cause error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err := workflow.Await(ctx, func() bool { return len(p.inFlight) == 0 }); err != nil {
		return err
	}
	return cause
}

func (p *childPool) startOne(ctx workflow.Context, c child) {
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            c.id,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		// A child outlives its parent, because it owns files and may be in the middle of a push.
		ParentClosePolicy:   enums.PARENT_CLOSE_POLICY_ABANDON,
		WaitForCancellation: true,
	})
	ctx = withDescription(ctx, p.role.Name, c, p.searchAttributes)
	future := workflow.ExecuteChildWorkflow(ctx, p.workflow, c.input)
	r := &runningChild{child: c, since: workflow.Now(ctx), started: future.GetChildWorkflowExecution()}
	p.inFlight = append(p.inFlight, r)
	p.state.Moved++
	p.showCounts()
	workflow.Go(ctx, func(ctx workflow.Context) {
		var outcome contract.Outcome
		err := future.Get(ctx, &outcome)
		p.inFlight = slices.DeleteFunc(p.inFlight, func(other *runningChild) bool { return other == r })
		p.recordEnd(ctx, c, outcome, err)
		p.showCounts()
	})
}

// showCounts shows how many children are done, running and failed.
func (p *childPool) showCounts() {
	p.progress.status.AtWork = nil
	for _, r := range p.inFlight {
		p.progress.status.AtWork = append(p.progress.status.AtWork, r.id)
	}
	done := p.state.Moved - p.state.Abandoned - len(p.inFlight)
	p.progress.step("%d of %d syncs done, %d at work, %d failed", done, p.expected, len(p.inFlight), p.state.Report.Count())
}

func (p *childPool) recordEnd(ctx workflow.Context, c child, outcome contract.Outcome, err error) {
	failed := plan.Failure{Subject: c.destination.String(), Workflow: c.id}
	p.noteEnd(ctx, c, err, outcome.Pause != nil)
	switch {
	case err == nil && outcome.Pause != nil:
		p.state.Report.AddPaused([]fleet.Pause{*outcome.Pause}, 0)
		p.lagging.childPaused(c)
		return
	case err == nil:
		p.state.Report.AddSynced(c.destination.String() + ": " + outcome.Summary)
		p.lagging.childDone(c)
		p.state.Report.Bytes += outcome.Size
		return
	case temporal.IsWorkflowExecutionAlreadyStartedError(err):
		p.state.Report.AddRunning(c.id)
		if !c.rollback {
			return
		}
		failed.Kind, failed.Reason = plan.KindRollbackNotUsed, "a run that has begun before is at work on the destination, without allow_rollback\nSay it again when that run has ended."
	default:
		failed.Kind, failed.Reason = contract.FailureOf(err)
		if failed.Kind == plan.KindChildFailed { // all others say what to do themselves
			failed.Reason = activities.WithRemedy(failed.Kind, failed.Reason)
		}
	}
	p.state.Report.Fail(failed)
	p.lagging.childFailed(ctx, c, failed.Kind)
}
