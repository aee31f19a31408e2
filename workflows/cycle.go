package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// cycleSpec is the difference between a producer's and a consumer's cycle. M is the plan for one branch: an upload or
// a push.
type cycleSpec[M any] struct {
	role contract.Role
	// scan is the activity that plans a page. scanSummary says what it looks at.
	scan        any
	scanSummary string
	// workflow moves one branch. child describes the child workflow for a move.
	workflow any
	child    func(move M) child
	// verb is what a dry run says of a branch.
	verb string
	// allowRollback lets a move roll the branch back. It is nil for cycles in which no branch can go back.
	allowRollback func(move *M)
	// publish runs when children have ended, unless it is nil.
	publish func(workflow.Context, *contract.Report) error
	// prune runs after all pages, unless it is nil.
	prune func(workflow.Context, *contract.Report) error
}

// changePublish is the change since which a cycle renews the catalog after its children.
const changePublish = "publish-catalog"

// cycle is one run of a cycle. It works on one page of the plan after the other. When its history is long, it
// continues as a new run, which is told only how far the cycle has come.
type cycle[M any] struct {
	cycleSpec[M]
	input     contract.CycleInput
	state     *contract.Continuation
	only      []project.Branch // all there are if it is empty
	rollbacks rollbacks
	lagging   lagging
	progress  *progress
	pool      *childPool

	publishes  bool // also while children are at work
	publishing bool // at the moment
}

// runCycle is the body of both parent workflows.
func runCycle[M any](ctx workflow.Context, s cycleSpec[M], in contract.CycleInput) (contract.Report, error) {
	c, err := newCycle(ctx, s, in)
	if err != nil {
		return contract.Report{}, err
	}
	for {
		page, err := c.planPage(ctx)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return c.state.Report, c.pool.awaitCancelled(ctx, err)
		case c.state.After == 0 || c.input.DryRun:
			return c.endUnplanned(ctx, err)
		default: // report what was done before
			c.failPlan(ctx, err)
			return c.finish(ctx)
		}
		more := page.Left > 0 && page.Reached > c.state.After
		c.recordPage(ctx, page)
		if c.input.DryRun {
			return c.reportPlan(page, more)
		}
		children := c.children(page.Moves)
		c.lagging.planned(ctx, children)
		if len(children) > 0 {
			c.pool.startTimer(ctx)
			c.publishBetween(ctx)
		}
		started, err := c.pool.startAll(ctx, children)
		if err != nil {
			return c.state.Report, err
		}
		for _, child := range children[:started] {
			c.rollbacks.markUsed(child.destination)
		}
		c.state.Report.Deferred += len(children) - started
		if !more || c.pool.halted || !workflow.Now(ctx).Before(c.state.Until) || cronHistoryIsFull(ctx) {
			return c.finish(ctx)
		}
		if mustContinueAsNew(ctx) {
			return c.continueAsNew(ctx)
		}
	}
}

func newCycle[M any](ctx workflow.Context, s cycleSpec[M], in contract.CycleInput) (*cycle[M], error) {
	c := &cycle[M]{cycleSpec: s, input: in}
	var err error
	if c.progress, err = showProgress(ctx); err != nil {
		return nil, err
	}
	continuing, err := isContinuation(ctx, in)
	if err != nil {
		return nil, err
	}
	if c.state = in.Continuation; !continuing {
		c.state = &contract.Continuation{
			Position:  contract.Position{Order: turn.At(workflow.Now(ctx))},
			Began:     workflow.Now(ctx),
			Rollbacks: in.AllowRollback,
			Report:    remembered(ctx),
		}
		if in.From != nil {
			c.state.Position = *in.From
		}
	}
	c.lagging = newLagging(in, c.state)
	if !continuing {
		c.lagging.begin()
	}
	if c.only, err = in.Subset(); err != nil {
		return nil, invalidInput("%v", err)
	}
	if c.rollbacks, err = allowedRollbacks(ctx, in, c.state, s.allowRollback != nil); err != nil {
		return nil, err
	}
	c.input.Limits = in.Limits.WithDefaults()
	c.progress.status.Report = &c.state.Report
	c.pool = &childPool{role: s.role, workflow: s.workflow, limits: c.input.Limits, searchAttributes: in.SearchAttributes, state: c.state, progress: c.progress, lagging: c.lagging}
	return c, nil
}

// planPage plans the next page.
func (c *cycle[M]) planPage(ctx workflow.Context) (page plan.Page[M], err error) {
	request := activities.PlanRequest{
		PageRequest: plan.PageRequest{
			Order: c.state.Order, After: c.state.After, Size: c.input.PageSize, Detail: c.input.DryRun, Recovered: c.state.Report.Recovered,
		},
		Retry:   c.rollbacks.unused,
		Only:    c.only,
		Insist:  len(c.only) > 0 && !c.input.DryRun && isByPerson(ctx),
		Catalog: c.state.Report.Catalog,

		IntervalSeconds: c.input.IntervalSeconds,
	}
	summary := c.scanSummary
	if c.state.After == 0 {
		request.Absence = c.state.Report.Absence
	} else {
		summary = fmt.Sprintf("%s, after %s", summary, activities.CountNoun(c.state.Report.Checked, "sync", "syncs"))
	}
	if len(c.pool.inFlight) == 0 {
		c.progress.step("comparing both ends")
	}
	err = workflow.ExecuteActivity(scanContext(ctx, summary), c.scan, request).Get(ctx, &page)
	return page, err
}

// recordPage adds a page to the report, and moves the cycle's position to the page's end.
func (c *cycle[M]) recordPage(ctx workflow.Context, page plan.Page[M]) {
	report := &c.state.Report
	if c.state.After == 0 && len(c.only) == 0 {
		report.Absence = page.Orphans.Absence
	}
	if c.state.Until.IsZero() {
		c.state.Until = workflow.Now(ctx).Add(c.input.Limits.Wait())
	}
	c.state.After = page.Reached
	if page.SearchAttributes != nil { // else as the input says
		c.pool.searchAttributes = *page.SearchAttributes
	}
	if page.Catalog != (plan.CatalogSeen{}) { // workers of before there were catalogs forget them
		report.Catalog = page.Catalog
	}
	c.state.Prune = c.state.Prune || len(page.Orphans.Due) > 0 || page.Superseded > 0 || len(page.LFSDue) > 0
	addPage(report, page)
	c.lagging.failed(ctx, page.Failed, page.FailedMore)
	c.lagging.paused(page.Paused)
}

// children returns the children for a page's moves.
func (c *cycle[M]) children(moves []M) []child {
	children := make([]child, len(moves))
	for i, move := range moves {
		child := c.child(move)
		child.id = c.role.ChildID(child.destination)
		if child.rollback = c.rollbacks.allows(child.destination); child.rollback {
			c.allowRollback(&move)
		}
		child.input = move
		children[i] = child
	}
	return children
}

// reportPlan ends a dry run.
func (c *cycle[M]) reportPlan(page plan.Page[M], more bool) (contract.Report, error) {
	report := &c.state.Report
	c.addPlan(report, page)
	if more {
		report.Next = &c.state.Position
	}
	return *report, report.Err()
}

// finish waits for the children, deletes objects that are no longer needed, and reports.
func (c *cycle[M]) finish(ctx workflow.Context) (contract.Report, error) {
	report := &c.state.Report
	if err := c.pool.awaitAll(ctx); err != nil {
		return *report, err
	}
	before := report.Failures
	c.rollbacks.reportUnused(report)
	if c.publish != nil && c.pool.ended() > 0 && workflow.GetVersion(ctx, changePublish, workflow.DefaultVersion, 1) == 1 {
		c.progress.step("renewing the catalog")
		if err := c.awaitPublished(ctx); err != nil {
			return *report, err
		}
		if err := c.publish(ctx, report); err != nil {
			return *report, err
		}
	}
	if c.prune != nil && len(c.only) == 0 && (c.state.Prune || len(report.Synced) > 0) {
		c.progress.step("deleting objects that are no longer needed")
		if err := c.prune(ctx, report); err != nil {
			return *report, err
		}
	}
	c.lagging.failed(ctx, report.Failed[len(before.Failed):], report.FailedMore-before.FailedMore)
	return c.end(ctx)
}

// failPlan reports that the plan could not be made, or not to its end.
func (c *cycle[M]) failPlan(ctx workflow.Context, err error) {
	kind, reason := contract.FailureOf(ownFailure(err))
	failure := plan.Failure{Subject: plan.SubjectPlan, Kind: kind, Reason: reason}
	c.state.Report.Fail(failure)
	c.lagging.failed(ctx, []plan.Failure{failure}, 0)
}

// endUnplanned ends a cycle that could look at nothing. It has no report: what it fails with is what the plan does.
func (c *cycle[M]) endUnplanned(ctx workflow.Context, cause error) (contract.Report, error) {
	report := &c.state.Report
	memory := contract.Report{Catalog: report.Catalog, Recovered: report.Recovered, Halted: report.Halted}
	if !c.lagging.complete {
		return contract.Report{}, withMemory(cause, memory)
	}
	report.Absence = plan.Absence{}
	c.failPlan(ctx, cause)
	if _, err := c.end(ctx); err == nil {
		return *report, nil
	}
	memory.Lags = report.Lags
	return contract.Report{}, withMemory(cause, memory)
}

// changeLags is the change since which a cycle tells what has changed since the one before, and fails only if something has.
const changeLags = "tell-changes"

// end decides how a cycle ends that has failures: it fails only if there is something new to see, so that one sync that fails for
// days does not make every cycle look like news. A cycle that nobody repeats remembers none, and fails.
func (c *cycle[M]) end(ctx workflow.Context) (contract.Report, error) {
	report, before := &c.state.Report, c.state.Before
	if !c.lagging.complete {
		return *report, report.Err()
	}
	c.lagging.settle()
	changes, more := report.Lags.Changes(before, workflow.Now(ctx))
	_, repeated := repeatedBy(ctx)
	if !repeated || report.Count()+len(changes) == 0 || workflow.GetVersion(ctx, changeLags, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return *report, report.Err()
	}
	if len(changes)+more > 0 {
		if err := c.tell(ctx, changes, more); err != nil {
			return *report, err
		}
	}
	if report.Count() > 0 && report.Lags.Report(before, workflow.Now(ctx)) {
		return *report, report.Err()
	}
	return *report, nil
}

func (c *cycle[M]) continueAsNew(ctx workflow.Context) (contract.Report, error) {
	abandoned, err := c.pool.abandonSlow(ctx)
	if err != nil {
		return c.state.Report, err
	}
	if !abandoned {
		return c.finish(ctx)
	}
	c.state.Rollbacks = c.rollbacks.names()
	c.input.Continuation = c.state
	return c.state.Report, workflow.NewContinueAsNewError(ctx, workflow.GetInfo(ctx).WorkflowType.Name, c.input)
}
