package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// ConsumeProject moves one branch from the bucket to the destination:
// download -> decrypt -> push. A destination that cannot complete an increment, although it
// seemed to have what that builds on, is given the whole chain from its snapshot.
func ConsumeProject(ctx workflow.Context, push plan.Push) (activities.Pushed, error) {
	steps := func(ctx workflow.Context) (activities.Pushed, error) { return consume(ctx, push) }
	pushed, err := onOneHost(ctx, steps)
	if isKind(err, activities.KindBaseMissing) && !push.FromSnapshot {
		push.FromSnapshot = true
		return onOneHost(ctx, steps)
	}
	return pushed, err
}

func consume(ctx workflow.Context, push plan.Push) (pushed activities.Pushed, err error) {
	var consumer *activities.Consumer

	var objects activities.Downloaded
	err = workflow.ExecuteActivity(transfer(ctx), consumer.Download, push).Get(ctx, &objects)
	if err != nil {
		return pushed, err
	}
	defer cleanup(ctx, consumer.Cleanup, objects.Staged)
	host := transferOn(ctx, objects.Staged.Host)

	var bundles activities.Decrypted
	err = workflow.ExecuteActivity(host, consumer.Decrypt, objects).Get(ctx, &bundles)
	if err != nil {
		return pushed, err
	}
	err = workflow.ExecuteActivity(host, consumer.Push, bundles).Get(ctx, &pushed)
	return pushed, err
}
