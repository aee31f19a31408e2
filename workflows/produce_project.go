package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// ProduceProject moves one branch from the source into the bucket:
// clone -> package -> encrypt -> upload. The LFS objects that its commits need go before these. If the source is rewritten
// while they are looked for, the run starts over with what it is at then.
func ProduceProject(ctx workflow.Context, upload plan.Upload) (activities.Uploaded, error) {
	return runChild(ctx, contract.Producer.ChildID(upload.Sync.Destination), upload.Attempt, func(run *childRun) (activities.Uploaded, error) {
		steps := func(ctx workflow.Context) (activities.Uploaded, error) { return run.produce(ctx, upload) }
		uploaded, err := onOneHost(ctx, steps)
		if isKind(err, activities.KindSourceRewritten) {
			uploaded, err = onOneHost(ctx, steps)
		}
		return uploaded, err
	})
}

// produce runs the steps once.
func (r *childRun) produce(ctx workflow.Context, upload plan.Upload) (uploaded activities.Uploaded, err error) {
	var producer *activities.Producer
	work := activities.UploadWork{Plan: upload}

	r.step("cloning %s", upload.Sync.Source)
	var cloned activities.Cloned
	first := work
	first.LookFirst, first.HeedPause, first.ShortSteps = mustLookFirst(ctx), true, true
	err = workflow.ExecuteActivity(transferContext(ctx, upload.Sync.Source.String()), producer.Clone, first).Get(ctx, &cloned)
	if err != nil {
		return uploaded, err
	}
	if cloned.Pause != nil {
		return activities.Uploaded{Summary: r.leave(*cloned.Pause), Pause: cloned.Pause}, nil
	}
	if cloned.Nothing != "" {
		r.step("%s", cloned.Nothing)
		return activities.Uploaded{Summary: cloned.Nothing}, nil
	}
	r.transferred, r.short = true, areShort(ctx, cloned.Short)
	work.Staged = cloned.Staged
	defer r.cleanup(ctx, work.Staged)
	id, object := cloned.Bundle.ID, activities.Describe(cloned.Bundle.ID, cloned.Changes)
	sized := object + ", " + sizeText(cloned.Bundle.Size)
	onHost := hostTransferContext(ctx, work.Staged.Host, sized)

	var sent activities.UploadedLFS
	if cloned.LFS && movesLFS(ctx) {
		if sent, err = r.uploadLFS(ctx, work, object); err != nil {
			return uploaded, err
		}
		cloned.Bundle.LFSSize, cloned.Bundle.LFSSHA256 = sent.ListSize, sent.ListSHA256
	}
	r.step("packaging %s", sized)
	var packaged activities.Packaged
	packageInput := activities.PackageInput{Bundle: cloned.Bundle, Before: cloned.Before, WhySnapshot: cloned.WhySnapshot}
	if err = r.onFiles(onHost, &packaged, producer.Package, work, packageInput); err != nil {
		return uploaded, err
	}
	r.step("encrypting %s", sized)
	var encrypted activities.Encrypted
	if err = r.onFiles(onHost, &encrypted, producer.Encrypt, work); err != nil {
		return uploaded, err
	}
	r.step("uploading %s, %s", object, sizeText(encrypted.Size))
	uploadInput := activities.UploadInput{
		ID: id, CreatedAt: packaged.CreatedAt, Note: packaged.Note, ManifestSHA256: packaged.ManifestSHA256, Changes: cloned.Changes, Size: encrypted.Size,
		LFS: sent.MovedLFS,
	}
	if err = workflow.ExecuteActivity(onHost, producer.Upload, work, uploadInput).Get(ctx, &uploaded); err != nil {
		return uploaded, err
	}
	r.step("uploaded %s", uploaded.Summary)
	return uploaded, nil
}

// uploadLFS uploads the LFS objects that what was cloned needs.
func (r *childRun) uploadLFS(ctx workflow.Context, work activities.UploadWork, object string) (sent activities.UploadedLFS, err error) {
	var producer *activities.Producer
	r.step("looking for LFS objects in %s", object)
	var found activities.FoundLFS
	onHost := hostTransferContext(ctx, work.Staged.Host, object)
	if err = workflow.ExecuteActivity(onHost, producer.FindLFS, work).Get(ctx, &found); err != nil || found.Objects == 0 {
		return sent, err
	}
	needed := activities.CountNoun(found.Objects, "LFS object", "LFS objects") + ", " + sizeText(found.Size)
	r.step("uploading %s of %s", needed, object)
	onHost = hostTransferContext(ctx, work.Staged.Host, fmt.Sprintf("%s, %s", object, needed))
	err = workflow.ExecuteActivity(onHost, producer.UploadLFS, work).Get(ctx, &sent)
	return sent, err
}
