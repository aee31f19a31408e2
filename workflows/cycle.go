package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/turn"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// side is what differs between the cycles of the two sides. M is what moves one branch there.
type side[M any] struct {
	role contract.Role
	// scan is the activity that plans a page, and scanned what it looks at.
	scan    any
	scanned string
	// workflow moves one branch, and child says which.
	workflow any
	child    func(move M) child
	// verb is what a dry run says of a branch.
	verb string
	// allowRollback passes the operator's word on; nil where no branch can go back.
	allowRollback func(move *M)
	// prune is done after all pages; nil for nothing.
	prune func(workflow.Context, *contract.Report) error
}

// cycle is one run's part of a cycle. It works on one page of the plan after the other. When its history has become
// long it continues as a new run, which is told nothing but how far the cycle has come.
type cycle[M any] struct {
	side[M]
	in        contract.CycleInput
	state     *contract.Continuation
	rollbacks rollbacks
	progress  *progress
	fleet     *fleet
}

// runCycle is what both parents do.
func runCycle[M any](ctx workflow.Context, s side[M], in contract.CycleInput) (contract.Report, error) {
	c, err := begin(ctx, s, in)
	if err != nil {
		return contract.Report{}, err
	}
	for {
		page, err := c.plan(ctx)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return c.state.Report, c.fleet.settle(ctx, err)
		case c.state.After == 0 || c.in.DryRun:
			return contract.Report{}, err
		default: // what was done before is reported
			kind, reason := contract.Cause(err)
			c.state.Report.Fail(plan.Failure{Subject: "plan", Kind: kind, Reason: reason})
			return c.end(ctx)
		}
		more := page.Left > 0 && page.Reached > c.state.After
		c.note(ctx, page)
		if c.in.DryRun {
			return c.show(page, more)
		}
		children := c.children(page.Moves)
		started, err := c.fleet.start(ctx, children)
		if err != nil {
			return c.state.Report, err
		}
		for _, child := range children[:started] {
			c.rollbacks.use(child.destination)
		}
		c.state.Report.Deferred += len(children) - started
		if !more || !workflow.Now(ctx).Before(c.state.Until) || isLastOfCron(ctx) {
			return c.end(ctx)
		}
		if mustContinueAsNew(ctx) {
			return c.continueAsNew(ctx)
		}
	}
}

func begin[M any](ctx workflow.Context, s side[M], in contract.CycleInput) (*cycle[M], error) {
	c := &cycle[M]{side: s, in: in}
	var err error
	if c.progress, err = showProgress(ctx); err != nil {
		return nil, err
	}
	continuing, err := continues(ctx, in)
	if err != nil {
		return nil, err
	}
	if c.state = in.Continuation; !continuing {
		c.state = &contract.Continuation{
			Position:  contract.Position{Turn: turn.At(workflow.Now(ctx))},
			Rollbacks: in.AllowRollback,
			Report:    contract.Report{Absence: rememberedAbsence(ctx)},
		}
		if in.From != nil {
			c.state.Position = *in.From
		}
	}
	if c.rollbacks, err = allowedRollbacks(ctx, in, c.state, s.allowRollback != nil); err != nil {
		return nil, err
	}
	c.in.Limits = in.Limits.WithDefaults()
	c.progress.status.Report = &c.state.Report
	c.fleet = &fleet{role: s.role, workflow: s.workflow, limits: c.in.Limits, searchAttributes: in.SearchAttributes, state: c.state, progress: c.progress}
	return c, nil
}

// plan finds out what is to be done next.
func (c *cycle[M]) plan(ctx workflow.Context) (page plan.Page[M], err error) {
	request := activities.PlanRequest{
		PageRequest: plan.PageRequest{Turn: c.state.Turn, After: c.state.After, Size: c.in.PageSize, Detail: c.in.DryRun},
		Retry:       c.rollbacks.left,
	}
	summary := c.scanned
	if c.state.After == 0 {
		request.Absence = c.state.Report.Absence
	} else {
		summary = fmt.Sprintf("%s, after %s", summary, count(c.state.Report.Checked, "branch"))
	}
	if len(c.fleet.inFlight) == 0 {
		c.progress.step("comparing both ends")
	}
	err = workflow.ExecuteActivity(scan(ctx, summary), c.scan, request).Get(ctx, &page)
	return page, err
}

// note adds a page to the report, and goes on to its end.
func (c *cycle[M]) note(ctx workflow.Context, page plan.Page[M]) {
	report := &c.state.Report
	if c.state.After == 0 {
		report.Absence = page.Orphans.Absence
	}
	if c.state.Until.IsZero() {
		c.state.Until = workflow.Now(ctx).Add(c.in.Limits.Wait())
	}
	c.state.After = page.Reached
	c.state.Prune = c.state.Prune || len(page.Orphans.Due) > 0 || page.Superseded > 0
	report.Checked += page.Checked
	report.UpToDate += page.UpToDate
	report.Unchecked = page.Left
	report.InSync = page.InSync
	report.FailAll(page.Failures)
	if !strings.Contains(report.Warning, page.Warning) { // each page says it
		report.Warning = strings.TrimPrefix(report.Warning+"; "+page.Warning, "; ")
	}
}

// children are those of a page.
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

// show is the end of a dry run.
func (c *cycle[M]) show(page plan.Page[M], more bool) (contract.Report, error) {
	report := &c.state.Report
	for _, destination := range page.Orphans.Due {
		report.Planned = append(report.Planned, "delete the objects of "+destination.String()+": its sync has left the configuration")
	}
	for _, child := range c.children(page.Moves) {
		report.Planned = append(report.Planned, c.verb+" "+child.destination.String()+": "+child.reason)
		report.Behind = append(report.Behind, plan.Branch{Destination: child.destination.String(), Reason: child.reason, Since: child.modified})
	}
	if more {
		report.Next = &c.state.Position
	}
	return *report, report.Err()
}

// end waits for the children, deletes what is no longer needed, and reports.
func (c *cycle[M]) end(ctx workflow.Context) (contract.Report, error) {
	report := &c.state.Report
	if err := c.fleet.wait(ctx); err != nil {
		return *report, err
	}
	c.rollbacks.report(report)
	if c.prune != nil && (c.state.Prune || len(report.Synced) > 0) {
		c.progress.step("deleting objects that are no longer needed")
		if err := c.prune(ctx, report); err != nil {
			return *report, err
		}
	}
	return *report, report.Err()
}

func (c *cycle[M]) continueAsNew(ctx workflow.Context) (contract.Report, error) {
	abandoned, err := c.fleet.abandon(ctx)
	if err != nil {
		return c.state.Report, err
	}
	if !abandoned {
		return c.end(ctx)
	}
	c.state.Rollbacks = c.rollbacks.names()
	c.in.Continuation = c.state
	return c.state.Report, workflow.NewContinueAsNewError(ctx, workflow.GetInfo(ctx).WorkflowType.Name, c.in)
}
