package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// ConsumeProject moves one branch from the bucket to the destination:
// download -> decrypt -> push. A destination that cannot complete an increment, although it
// seemed to have what that builds on, is given the whole chain from its snapshot. When the branch
// has moved meanwhile, what it needs is found out anew.
func ConsumeProject(ctx workflow.Context, push plan.Push) (pushed activities.Pushed, err error) {
	progress, err := showProgress(ctx)
	if err != nil {
		return pushed, err
	}
	if err := requireLock(ctx, contract.ConsumeProjectID(push.Destination)); err != nil {
		return pushed, err
	}
	push.AllowRollback = push.AllowRollback && mayRollBack(ctx)
	transferred := false
	steps := func(ctx workflow.Context) (activities.Pushed, error) {
		return consume(ctx, progress, push, &transferred)
	}
	pushed, err = onOneHost(ctx, steps)
	if isKind(err, activities.KindTipMoved) {
		pushed, err = onOneHost(ctx, steps)
	}
	if isKind(err, activities.KindBaseMissing) && !push.FromSnapshot {
		push.FromSnapshot = true
		pushed, err = onOneHost(ctx, steps)
	}
	err = remember(ctx, push.Try, transferred, err)
	conclude(ctx, err)
	return pushed, err
}

// consume notes whether anything was transferred.
func consume(ctx workflow.Context, progress *progress, push plan.Push, transferred *bool) (pushed activities.Pushed, err error) {
	var consumer *activities.Consumer

	progress.step("downloading what %s lacks of %s", push.Destination, plan.Short(push.Commit))
	var objects activities.Downloaded
	err = workflow.ExecuteActivity(transfer(ctx, push.Destination.String()), consumer.Download, push).Get(ctx, &objects)
	if err != nil {
		return pushed, err
	}
	*transferred = len(objects.Objects) > 0
	defer cleanup(ctx, consumer.Cleanup, objects.Staged)
	summary := fmt.Sprintf("%s to %s, %s", push.Destination, plan.Short(objects.Commit), count(len(objects.Objects), "object"))
	onHost := func() workflow.Context { return transferOn(ctx, objects.Staged.Host, summary) }

	progress.step("decrypting %s", count(len(objects.Objects), "object"))
	var bundles activities.Decrypted
	if err = workflow.ExecuteActivity(onHost(), consumer.Decrypt, objects).Get(ctx, &bundles); err != nil {
		return pushed, err
	}
	// After a reset, what was decrypted may be of a run that was allowed to.
	bundles.AllowRollback = push.AllowRollback
	progress.step("pushing %s to %s", plan.Short(objects.Commit), push.Destination)
	if err = workflow.ExecuteActivity(onHost(), consumer.Push, bundles).Get(ctx, &pushed); err != nil {
		return pushed, err
	}
	progress.step("%s", pushed.Summary)
	return pushed, nil
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
