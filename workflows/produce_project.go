package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// ProduceProject moves one branch from the source into the bucket:
// clone -> package -> encrypt -> upload.
func ProduceProject(ctx workflow.Context, upload plan.Upload) (activities.Uploaded, error) {
	return onOneHost(ctx, func(ctx workflow.Context) (activities.Uploaded, error) {
		return produce(ctx, upload)
	})
}

func produce(ctx workflow.Context, upload plan.Upload) (uploaded activities.Uploaded, err error) {
	var producer *activities.Producer

	var clone activities.Cloned
	err = workflow.ExecuteActivity(transfer(ctx), producer.Clone, upload).Get(ctx, &clone)
	if err != nil {
		return uploaded, err
	}
	defer cleanup(ctx, producer.Cleanup, clone.Staged)
	host := transferOn(ctx, clone.Staged.Host)

	var archive activities.Packaged
	err = workflow.ExecuteActivity(host, producer.Package, clone).Get(ctx, &archive)
	if err != nil {
		return uploaded, err
	}
	var object activities.Encrypted
	err = workflow.ExecuteActivity(host, producer.Encrypt, archive).Get(ctx, &object)
	if err != nil {
		return uploaded, err
	}
	err = workflow.ExecuteActivity(host, producer.Upload, object).Get(ctx, &uploaded)
	return uploaded, err
}
