package workflows

import (
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// maxRollbacks is how many destinations allow_rollback may name.
const maxRollbacks = 100

// rollbacks are the destinations that allow_rollback names in this run and that have not been used yet.
type rollbacks struct{ unused []project.Branch }

// allowedRollbacks checks and returns the destinations that a cycle's allow_rollback names. They hold for all pages
// of the cycle. If this run must not use them, the report says so.
func allowedRollbacks(ctx workflow.Context, in contract.CycleInput, state *contract.Continuation, possible bool) (r rollbacks, err error) {
	if len(in.AllowRollback) == 0 {
		return r, nil
	}
	if !possible {
		return r, invalidInput("allow_rollback is for ConsumerSync: only at the destination can a branch go back")
	}
	if by, ok := repeatedBy(ctx); ok {
		return r, invalidInput("allow_rollback holds for one run, but %s would repeat it\nTake it out of the input, and say it to a single run: starter run --allow-rollback.", by)
	}
	if len(in.AllowRollback) > maxRollbacks {
		return r, invalidInput("allow_rollback names %d destinations, more than %d", len(in.AllowRollback), maxRollbacks)
	}
	for _, name := range state.Rollbacks {
		b, err := project.ParseBranch(name)
		if err != nil {
			return rollbacks{}, invalidInput("allow_rollback: %v", err)
		}
		r.unused = append(r.unused, b)
	}
	if isRepetition(ctx) || workflow.GetInfo(ctx).ContinuedExecutionRunID != "" && state != in.Continuation {
		state.Report.Warning = "allow_rollback was not used: it holds for one run, and this one repeats it for " + strings.Join(in.AllowRollback, ", ")
		return rollbacks{}, nil
	}
	return r, nil
}

// allows tells whether a destination is named, in any spelling.
func (r *rollbacks) allows(b project.Branch) bool {
	return slices.ContainsFunc(r.unused, func(other project.Branch) bool { return other.Identity() == b.Identity() })
}

// markUsed notes that a child was started that may roll its branch back.
func (r *rollbacks) markUsed(b project.Branch) {
	r.unused = slices.DeleteFunc(r.unused, func(other project.Branch) bool { return other.Identity() == b.Identity() })
}

func (r *rollbacks) names() (names []string) {
	for _, b := range r.unused {
		names = append(names, b.String())
	}
	return names
}

// reportUnused adds a failure for each destination that was named in vain.
func (r *rollbacks) reportUnused(report *contract.Report) {
	for _, name := range r.names() {
		report.Fail(plan.Failure{
			Subject: name, Kind: plan.KindRollbackNotUsed,
			Reason: activities.WithRemedy(plan.KindRollbackNotUsed, "allow_rollback names a destination that is not behind the bucket"),
		})
	}
}
