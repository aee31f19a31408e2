package workflows

import (
	"github.com/dustin/go-humanize"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// ProduceProject moves one branch from the source into the bucket:
// clone -> package -> encrypt -> upload.
func ProduceProject(ctx workflow.Context, upload plan.Upload) (uploaded activities.Uploaded, err error) {
	progress, err := showProgress(ctx)
	if err != nil {
		return uploaded, err
	}
	if err := requireLock(ctx, contract.ProduceProjectID(upload.Sync.Destination)); err != nil {
		return uploaded, err
	}
	transferred := false
	uploaded, err = onOneHost(ctx, func(ctx workflow.Context) (activities.Uploaded, error) {
		return produce(ctx, progress, upload, &transferred)
	})
	err = remember(ctx, upload.Try, transferred, err)
	conclude(ctx, err)
	return uploaded, err
}

// produce notes whether anything was transferred.
func produce(ctx workflow.Context, progress *progress, upload plan.Upload, transferred *bool) (uploaded activities.Uploaded, err error) {
	var producer *activities.Producer

	progress.step("cloning %s", upload.Sync.Source)
	var clone activities.Cloned
	err = workflow.ExecuteActivity(transfer(ctx, upload.Sync.Source.String()), producer.Clone, upload).Get(ctx, &clone)
	if err != nil {
		return uploaded, err
	}
	*transferred = true
	defer cleanup(ctx, producer.Cleanup, clone.Staged)
	onHost := func() workflow.Context {
		return transferOn(ctx, clone.Staged.Host, activities.Describe(clone.Bundle.ID)+", "+humanize.Bytes(uint64(clone.Bundle.Size)))
	}

	progress.step("packaging %s", activities.Describe(clone.Bundle.ID))
	var archive activities.Packaged
	if err = workflow.ExecuteActivity(onHost(), producer.Package, clone).Get(ctx, &archive); err != nil {
		return uploaded, err
	}
	progress.step("encrypting %s", activities.Describe(clone.Bundle.ID))
	var object activities.Encrypted
	if err = workflow.ExecuteActivity(onHost(), producer.Encrypt, archive).Get(ctx, &object); err != nil {
		return uploaded, err
	}
	progress.step("uploading %s, %s", activities.Describe(clone.Bundle.ID), humanize.Bytes(uint64(object.Size)))
	if err = workflow.ExecuteActivity(onHost(), producer.Upload, object).Get(ctx, &uploaded); err != nil {
		return uploaded, err
	}
	progress.step("uploaded %s", uploaded.Summary)
	return uploaded, nil
}
