package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/retries"
)

// childRun is one run of a child, on either side.
type childRun struct {
	*progress
	transferred bool // the run has transferred something
	leftAlone   bool // the run has done nothing, as its sync is paused
	short       bool // steps that need nothing but the run's files take moments
}

// runChild does what both children do before and after their steps. The child must have the given workflow ID.
func runChild[R any](ctx workflow.Context, id string, attempt plan.Attempt, move func(*childRun) (R, error)) (result R, err error) {
	progress, err := showProgress(ctx)
	if err != nil {
		return result, err
	}
	if err := requireLock(ctx, id); err != nil {
		return result, err
	}
	run := &childRun{progress: progress}
	result, err = move(run)
	if !run.leftAlone { // else it is as it was before
		recordOutcome(ctx, err)
	}
	return result, ownFailure(err, attemptDetails(ctx, attempt, run.transferred, err)...)
}

// attemptDetails returns what the next plan reads of the attempt in the failure, to leave the branch alone for a while when
// nothing has changed. A run that was cancelled says nothing of the next, nor does one whose files were lost. An object in the
// place of a newer one costs its first bytes, and the producer's next catalog may say that all is well.
func attemptDetails(ctx workflow.Context, try plan.Attempt, transferred bool, err error) []any {
	if err == nil || ctx.Err() != nil || temporal.IsCanceledError(err) || filesLost(err) || isKind(err, plan.KindObjectWithheld) {
		return nil
	}
	class := retries.Passing // a step without an answer
	if failure, ok := errors.AsType[*temporal.ApplicationError](err); ok && failure.NonRetryable() {
		class = activities.ClassOf(failure.Type())
	}
	now := workflow.Now(ctx)
	return []any{try.After(plan.Failed{At: now, Took: now.Sub(workflow.GetInfo(ctx).WorkflowStartTime), Class: class, Transferred: transferred})}
}

// changeLFS is the change since which a child moves LFS objects ahead of the commits.
const changeLFS = "lfs-objects"

// movesLFS tells whether a run moves LFS objects. The results of its steps do not tell: while a side is upgraded, a step of the
// new release may have been followed by one of the old release's workflow. The run could not be replayed then, and would be
// stuck. That its commits do not go without their files is seen to by Package and Push.
func movesLFS(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, changeLFS, workflow.DefaultVersion, 1) == 1
}

// leave ends a run whose sync has been paused since it was planned.
func (r *childRun) leave(pause fleet.Pause) (summary string) {
	r.leftAlone = true
	until := "" // not known
	if !pause.Until.IsZero() {
		until = " until " + pause.Until.UTC().Format(time.RFC3339)
	}
	summary = fmt.Sprintf("left alone: paused%s, by %s", until, cmp.Or(pause.By, "somebody"))
	r.step("%s", summary)
	return summary
}
