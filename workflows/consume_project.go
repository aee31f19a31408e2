package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// ConsumeProject moves one branch from the bucket to the destination: download -> decrypt -> push, with the LFS objects that
// its commits need ahead of these. If the destination cannot complete an increment, although it seemed to have the base, it
// gets the whole chain from the snapshot on. If the branch has moved meanwhile, the run starts over and compares anew.
func ConsumeProject(ctx workflow.Context, push plan.Push) (activities.Pushed, error) {
	push.AllowRollback = push.AllowRollback && mayUseRollback(ctx)
	return runChild(ctx, contract.Consumer.ChildID(push.Destination), push.Attempt, func(run *childRun) (activities.Pushed, error) {
		steps := func(ctx workflow.Context) (activities.Pushed, error) { return run.consume(ctx, push) }
		pushed, err := onOneHost(ctx, steps)
		if isKind(err, activities.KindTipMoved) {
			pushed, err = onOneHost(ctx, steps)
		}
		if isKind(err, activities.KindBaseMissing) && !push.FromSnapshot {
			push.FromSnapshot = true
			pushed, err = onOneHost(ctx, steps)
		}
		return pushed, err
	})
}

// consume runs the steps once.
func (r *childRun) consume(ctx workflow.Context, push plan.Push) (pushed activities.Pushed, err error) {
	var consumer *activities.Consumer
	work := activities.PushWork{Plan: push}

	r.step("downloading what %s lacks of %s", push.Destination, plan.Short(push.Commit))
	var downloaded activities.Downloaded
	first := work
	first.LookFirst, first.HeedPause, first.ShortSteps = mustLookFirst(ctx), true, true
	err = workflow.ExecuteActivity(transferContext(ctx, push.Destination.String()), consumer.Download, first).Get(ctx, &downloaded)
	if err != nil {
		return pushed, err
	}
	if downloaded.Pause != nil {
		return activities.Pushed{Summary: r.leave(*downloaded.Pause), Pause: downloaded.Pause}, nil
	}
	if there := downloaded.Target.Commit; downloaded.Nothing != "" {
		r.step("%s", downloaded.Nothing)
		return activities.Pushed{Summary: downloaded.Nothing, Old: there, Commit: there}, nil
	}
	// A set may take a hundred pushes to find out what the destination refuses.
	r.transferred = len(downloaded.Objects) > 0 || push.Destination.IsSet()
	r.short, work.Staged = areShort(ctx, downloaded.Short), downloaded.Staged
	defer r.cleanup(ctx, work.Staged)
	target, objects := downloaded.Target, describeObjects(downloaded.Objects)
	onHost := hostTransferContext(ctx, work.Staged.Host, fmt.Sprintf("%s to %s, %s", push.Destination, plan.Short(target.Commit), objects))

	r.step("decrypting %s", objects)
	var decrypted activities.Decrypted
	decryptInput := activities.DecryptInput{Commit: target.Commit, Objects: downloaded.Objects}
	if err = r.onFiles(onHost, &decrypted, consumer.Decrypt, work, decryptInput); err != nil {
		return pushed, err
	}
	pushInput := activities.PushInput{Target: target, Bundles: decrypted.Bundles}
	if n := decrypted.LFSObjects; n > 0 && movesLFS(ctx) {
		needed := activities.CountNoun(n, "LFS object", "LFS objects") + ", " + sizeText(decrypted.LFSSize)
		r.step("sending %s what it lacks of %s", push.Destination, needed)
		sending := hostTransferContext(ctx, work.Staged.Host, fmt.Sprintf("%s, %s", push.Destination, needed))
		if err = workflow.ExecuteActivity(sending, consumer.PushLFS, work, pushInput).Get(ctx, &pushInput.LFS); err != nil {
			return pushed, err
		}
	}
	r.step("pushing %s to %s, %s", plan.Short(target.Commit), push.Destination, sizeText(bundlesSize(decrypted.Bundles)))
	if err = workflow.ExecuteActivity(onHost, consumer.Push, work, pushInput).Get(ctx, &pushed); err != nil {
		return pushed, err
	}
	r.step("%s", pushed.Summary)
	return pushed, nil
}

// describeObjects says how many objects were downloaded, and how large they are together.
func describeObjects(objects []object.Stored) string {
	words := activities.CountNoun(len(objects), "object", "objects")
	var size int64
	for _, o := range objects {
		size += o.Size
	}
	if size > 0 {
		words += ", " + sizeText(size)
	}
	return words
}

func bundlesSize(bundles []archive.Bundle) (size int64) {
	for _, b := range bundles {
		size += b.Size
	}
	return size
}
