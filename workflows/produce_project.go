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
	if err := requireLock(ctx, contract.Producer.ChildID(upload.Sync.Destination)); err != nil {
		return uploaded, err
	}
	transferred := false
	uploaded, err = onOneHost(ctx, func(ctx workflow.Context) (activities.Uploaded, error) {
		return runProduceSteps(ctx, progress, upload, &transferred)
	})
	err = withAttempt(ctx, upload.Attempt, transferred, err)
	recordOutcome(ctx, err)
	return uploaded, err
}

// runProduceSteps runs the steps once. It sets transferred when it has transferred anything.
func runProduceSteps(ctx workflow.Context, progress *progress, upload plan.Upload, transferred *bool) (uploaded activities.Uploaded, err error) {
	var producer *activities.Producer
	work := activities.UploadWork{Plan: upload}

	progress.step("cloning %s", upload.Sync.Source)
	var cloned activities.Cloned
	err = workflow.ExecuteActivity(transferContext(ctx, upload.Sync.Source.String()), producer.Clone, work).Get(ctx, &cloned)
	if err != nil {
		return uploaded, err
	}
	*transferred = true
	work.Staged = cloned.Staged
	defer cleanup(ctx, work.Staged)
	id := cloned.Bundle.ID
	onHost := hostTransferContext(ctx, work.Staged.Host, activities.Describe(id)+", "+humanize.Bytes(uint64(cloned.Bundle.Size)))

	progress.step("packaging %s", activities.Describe(id))
	var packaged activities.Packaged
	packageInput := activities.PackageInput{Bundle: cloned.Bundle, Before: cloned.Before}
	if err = workflow.ExecuteActivity(onHost, producer.Package, work, packageInput).Get(ctx, &packaged); err != nil {
		return uploaded, err
	}
	progress.step("encrypting %s", activities.Describe(id))
	var encrypted activities.Encrypted
	if err = workflow.ExecuteActivity(onHost, producer.Encrypt, work).Get(ctx, &encrypted); err != nil {
		return uploaded, err
	}
	progress.step("uploading %s, %s", activities.Describe(id), humanize.Bytes(uint64(encrypted.Size)))
	uploadInput := activities.UploadInput{ID: id, CreatedAt: packaged.CreatedAt, Note: packaged.Note, Size: encrypted.Size}
	if err = workflow.ExecuteActivity(onHost, producer.Upload, work, uploadInput).Get(ctx, &uploaded); err != nil {
		return uploaded, err
	}
	progress.step("uploaded %s", uploaded.Summary)
	return uploaded, nil
}
