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
func ProduceProject(ctx workflow.Context, upload plan.Upload) (activities.Uploaded, error) {
	return runChild(ctx, contract.Producer.ChildID(upload.Sync.Destination), upload.Attempt, func(run *childRun) (activities.Uploaded, error) {
		return onOneHost(ctx, func(ctx workflow.Context) (activities.Uploaded, error) { return run.produce(ctx, upload) })
	})
}

// produce runs the steps once.
func (r *childRun) produce(ctx workflow.Context, upload plan.Upload) (uploaded activities.Uploaded, err error) {
	var producer *activities.Producer
	work := activities.UploadWork{Plan: upload}

	r.step("cloning %s", upload.Sync.Source)
	var cloned activities.Cloned
	err = workflow.ExecuteActivity(transferContext(ctx, upload.Sync.Source.String()), producer.Clone, work).Get(ctx, &cloned)
	if err != nil {
		return uploaded, err
	}
	r.transferred = true
	work.Staged = cloned.Staged
	defer cleanup(ctx, work.Staged)
	id, object := cloned.Bundle.ID, activities.Describe(cloned.Bundle.ID, cloned.Changes)
	onHost := hostTransferContext(ctx, work.Staged.Host, object+", "+humanize.Bytes(uint64(cloned.Bundle.Size)))

	r.step("packaging %s", object)
	var packaged activities.Packaged
	packageInput := activities.PackageInput{Bundle: cloned.Bundle, Before: cloned.Before, WhySnapshot: cloned.WhySnapshot}
	if err = workflow.ExecuteActivity(onHost, producer.Package, work, packageInput).Get(ctx, &packaged); err != nil {
		return uploaded, err
	}
	r.step("encrypting %s", object)
	var encrypted activities.Encrypted
	if err = workflow.ExecuteActivity(onHost, producer.Encrypt, work).Get(ctx, &encrypted); err != nil {
		return uploaded, err
	}
	r.step("uploading %s, %s", object, humanize.Bytes(uint64(encrypted.Size)))
	uploadInput := activities.UploadInput{
		ID: id, CreatedAt: packaged.CreatedAt, Note: packaged.Note, ManifestSHA256: packaged.ManifestSHA256, Changes: cloned.Changes, Size: encrypted.Size,
	}
	if err = workflow.ExecuteActivity(onHost, producer.Upload, work, uploadInput).Get(ctx, &uploaded); err != nil {
		return uploaded, err
	}
	r.step("uploaded %s", uploaded.Summary)
	return uploaded, nil
}
