package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// lagging keeps which syncs a complete cycle does not leave in sync. In a cycle of some syncs, and in one that only plans, it does
// nothing: what these find is not the whole.
type lagging struct {
	complete bool
	state    *contract.Continuation
}

func newLagging(in contract.CycleInput, state *contract.Continuation) lagging {
	return lagging{complete: !in.DryRun && len(in.Only) == 0, state: state}
}

// begin puts what the cycle before has left aside.
func (l lagging) begin() {
	report := &l.state.Report
	if l.complete {
		l.state.Before, report.Began = report.Lags, l.state.Began
		l.state.Before.Resume()
	}
	report.Lags = fleet.Lags{}
}

// planned takes in the branches that have to move.
func (l lagging) planned(ctx workflow.Context, children []child) {
	for i := range children {
		if c := &children[i]; l.complete {
			c.lag.Destination = c.destination.String()
			c.lag = l.state.Before.Behind(c.lag, c.modified, workflow.Now(ctx))
			l.state.Report.Lags.Add(c.lag)
		}
	}
}

// failed takes in failures of a plan, or of what comes after the children. More have no name.
func (l lagging) failed(ctx workflow.Context, failures []plan.Failure, more int) {
	if !l.complete {
		return
	}
	lags := &l.state.Report.Lags
	for _, f := range failures {
		if earlier, ok := lags.Find(f.Subject); ok {
			lags.Remove(earlier)
		}
		lags.Add(l.state.Before.Fail(fleet.Lag{Destination: f.Subject}, f.Kind, workflow.Now(ctx)))
	}
	lags.MoreFailing += more
}

// paused leaves what an operator has paused as it is: it neither fails nor recovers.
func (l lagging) paused(pauses []fleet.Pause) {
	if !l.complete || len(pauses) == 0 {
		return
	}
	paused := plan.NewPauses(pauses) // in whatever spelling
	for _, lag := range slices.Clone(l.state.Before.List) {
		if b, err := project.ParseBranch(lag.Destination); err == nil && paused.Has(b) {
			l.state.Report.Lags.Pause(&l.state.Before, lag)
		}
	}
}

// childDone takes away the lag of a child that has succeeded.
func (l lagging) childDone(c child) {
	if l.complete {
		l.state.Report.Lags.Done(c.lag, &l.state.Before)
	}
}

// childPaused keeps the lag of a child that was left alone.
func (l lagging) childPaused(c child) {
	if l.complete {
		lags := &l.state.Report.Lags
		lags.Remove(c.lag)
		lags.Pause(&l.state.Before, c.lag)
	}
}

// childFailed puts a failure into the lag of a child.
func (l lagging) childFailed(ctx workflow.Context, c child, kind string) {
	if l.complete {
		lags := &l.state.Report.Lags
		lags.Remove(c.lag)
		lags.Add(l.state.Before.Fail(c.lag, kind, workflow.Now(ctx)))
	}
}

// settle ends the list, with what the cycle before has left of the syncs that this one has not come to. A report does not tell which
// syncs a Git server was too slow for, nor all that are paused if those are very many: then nothing is taken for in sync that
// may not be.
func (l lagging) settle() {
	report := &l.state.Report
	_, slow := report.Lags.Find(plan.SubjectGitServer)
	_, unplanned := report.Lags.Find(plan.SubjectPlan)
	all := !slow && !unplanned && report.PausedMore == 0 && report.Unchecked == 0
	report.Lags.Settle(l.state.Before, func(subject string) bool {
		if all || slow || report.PausedMore > 0 {
			return all
		}
		b, err := project.ParseBranch(subject)
		return l.state.After > 0 && (err != nil || l.state.Order.Position(b) <= l.state.After)
	})
	if report.Lags.LookedAt = l.state.Before.LookedAt; all {
		report.Lags.LookedAt = report.Began
	}
}
