package workflows

import (
	"cmp"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/notify"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// maxToldLine is how many characters people are told of a reason, and of what to do.
const maxToldLine = 300

// tell tells people what has changed. If that fails, the report says so, and the next cycle tells it again: the cycle itself has not
// failed.
func (c *cycle[M]) tell(ctx workflow.Context, changes []fleet.Change, more int) error {
	c.progress.step("telling what has changed")
	n := activities.Notification{Role: c.role.Name, At: workflow.Now(ctx), Changes: []notify.Change{}, More: more}
	reasons := map[string]plan.Failure{}
	for _, f := range c.state.Report.Failed {
		reasons[f.Subject] = f
	}
	for i, change := range changes {
		if i == notify.MaxChanges {
			n.More += len(changes) - i
			break
		}
		n.Changes = append(n.Changes, c.toldOf(ctx, change, reasons[change.Destination]))
	}
	var common *activities.Common
	summary := activities.CountNoun(len(changes)+more, "change", "changes") + " since the last cycle"
	err := workflow.ExecuteActivity(notifyContext(ctx, summary), common.Notify, n).Get(ctx, nil)
	switch {
	case err == nil:
		c.state.Report.Lags.Told(n.At)
		return nil
	case ctx.Err() != nil:
		return err
	}
	kind, reason := contract.FailureOf(ownFailure(err))
	c.state.Report.Warn("nobody was told what has changed, the next cycle tries again: " + foreign.Line(reason, maxToldLine) + " (" + kind + ")")
	return nil
}

// toldOf says what has become of a failure. The workflow to look at is the sync's, or this cycle.
func (c *cycle[M]) toldOf(ctx workflow.Context, change fleet.Change, f plan.Failure) notify.Change {
	told := notify.Change{
		Destination: change.Destination, Change: change.What, Kind: change.Kind, Was: change.Was, Since: change.Failing.UTC(),
		Workflow: cmp.Or(f.Workflow, workflow.GetInfo(ctx).WorkflowExecution.ID),
	}
	if b, err := project.ParseBranch(change.Destination); err == nil && change.What == fleet.ChangeRecovered {
		told.Workflow = c.role.ChildID(b)
	}
	if change.What != fleet.ChangeRecovered {
		reason, remedy, _ := strings.Cut(f.Reason, "\n")
		told.Reason, told.Remedy = foreign.Line(reason, maxToldLine), foreign.Line(remedy, maxToldLine)
	}
	return told
}
