package workflows

import (
	"cmp"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// maxClockLead is how far the clock of whoever asks for a pause may be ahead of Temporal's.
const maxClockLead = time.Hour

// PauseSync is the pause of one sync: as long as it runs, plans leave the sync alone. It does nothing but wait. That it is cancelled
// is how a pause ends early, and no failure.
func PauseSync(ctx workflow.Context, in fleet.Pause) (end contract.PauseEnd, err error) {
	progress, err := showProgress(ctx)
	if err != nil {
		return end, err
	}
	destination, err := project.ParseBranch(in.Destination)
	if err != nil {
		return end, invalidInput("destination: %v", err)
	}
	ours, id := contract.Producer.PauseID(destination), workflow.GetInfo(ctx).WorkflowExecution.ID
	if id == contract.Consumer.PauseID(destination) {
		ours = id
	}
	if err := requireLock(ctx, ours); err != nil {
		return end, err
	}
	left := in.Until.Sub(workflow.Now(ctx))
	if in.Until.IsZero() || left > contract.MaxPause+maxClockLead {
		return end, invalidInput("until: %s is not within %s\nStart it with the starter's command pause, or with another time.", in.Until.Format(time.RFC3339), contract.MaxPause)
	}
	until := in.Until.UTC().Format("2006-01-02 15:04:05 UTC")
	progress.step("paused until %s, by %s: %s", until, cmp.Or(foreign.Line(in.By, contract.MaxPauseWords), "somebody"),
		cmp.Or(foreign.Line(in.Reason, contract.MaxPauseWords), "no reason is given"))
	err = namedTimer(ctx, left, "the pause of "+in.Destination+" ends at "+until).Get(ctx, nil)
	if temporal.IsCanceledError(err) {
		progress.step("unpaused before %s", until)
		return contract.PauseEnd{Ended: contract.PauseCancelled}, nil
	}
	progress.step("the pause is over")
	return contract.PauseEnd{Ended: contract.PauseOver}, err
}
