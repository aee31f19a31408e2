package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// ConsumeProject moves one branch from the bucket to the destination: download -> decrypt -> push. If the destination
// cannot complete an increment, although it seemed to have the base, it gets the whole chain from the snapshot on. If
// the branch has moved meanwhile, the run starts over and compares anew.
func ConsumeProject(ctx workflow.Context, push plan.Push) (pushed activities.Pushed, err error) {
	progress, err := showProgress(ctx)
	if err != nil {
		return pushed, err
	}
	if err := requireLock(ctx, contract.Consumer.ChildID(push.Destination)); err != nil {
		return pushed, err
	}
	push.AllowRollback = push.AllowRollback && mayUseRollback(ctx)
	transferred := false
	steps := func(ctx workflow.Context) (activities.Pushed, error) {
		return runConsumeSteps(ctx, progress, push, &transferred)
	}
	pushed, err = onOneHost(ctx, steps)
	if isKind(err, activities.KindTipMoved) {
		pushed, err = onOneHost(ctx, steps)
	}
	if isKind(err, activities.KindBaseMissing) && !push.FromSnapshot {
		push.FromSnapshot = true
		pushed, err = onOneHost(ctx, steps)
	}
	err = withAttempt(ctx, push.Attempt, transferred, err)
	recordOutcome(ctx, err)
	return pushed, err
}

// runConsumeSteps runs the steps once. It sets transferred when it has transferred anything.
func runConsumeSteps(ctx workflow.Context, progress *progress, push plan.Push, transferred *bool) (pushed activities.Pushed, err error) {
	var consumer *activities.Consumer
	work := activities.PushWork{Plan: push}

	progress.step("downloading what %s lacks of %s", push.Destination, plan.Short(push.Commit))
	var downloaded activities.Downloaded
	err = workflow.ExecuteActivity(transferContext(ctx, push.Destination.String()), consumer.Download, work).Get(ctx, &downloaded)
	if err != nil {
		return pushed, err
	}
	*transferred = len(downloaded.Objects) > 0
	work.Staged = downloaded.Staged
	defer cleanup(ctx, work.Staged)
	target, objects := downloaded.Target, countNoun(len(downloaded.Objects), "object")
	onHost := hostTransferContext(ctx, work.Staged.Host, fmt.Sprintf("%s to %s, %s", push.Destination, plan.Short(target.Commit), objects))

	progress.step("decrypting %s", objects)
	var decrypted activities.Decrypted
	decryptInput := activities.DecryptInput{Commit: target.Commit, Objects: downloaded.Objects}
	if err = workflow.ExecuteActivity(onHost, consumer.Decrypt, work, decryptInput).Get(ctx, &decrypted); err != nil {
		return pushed, err
	}
	progress.step("pushing %s to %s", plan.Short(target.Commit), push.Destination)
	pushInput := activities.PushInput{Target: target, Bundles: decrypted.Bundles}
	if err = workflow.ExecuteActivity(onHost, consumer.Push, work, pushInput).Get(ctx, &pushed); err != nil {
		return pushed, err
	}
	progress.step("%s", pushed.Summary)
	return pushed, nil
}

func countNoun(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
