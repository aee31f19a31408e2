package activities

import (
	"context"
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/objectkey"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// maxForeign bounds how many unreadable keys are reported one by one.
const maxForeign = 20

// listChains reads the whole bucket. Keys that are not ours are reported and left alone.
func listChains(ctx context.Context, b *bucket.Bucket) (map[project.Branch]chain.Chain, []plan.Failure, error) {
	var objects []chain.Object
	var foreign []plan.Failure
	more := 0
	for o, err := range b.List(ctx, "") {
		if err != nil {
			return nil, nil, err
		}
		key, err := objectkey.Parse(o.Key)
		switch {
		case err == nil:
			objects = append(objects, chain.Object{Key: key, Name: o.Key, Size: o.Size, Modified: o.Modified})
		case len(foreign) == maxForeign:
			more++
		default:
			foreign = append(foreign, plan.Failure{Subject: fmt.Sprintf("%.300q", o.Key), Kind: plan.KindUndecodableKey, Reason: err.Error()})
		}
	}
	if more > 0 {
		foreign = append(foreign, plan.Failure{Subject: "bucket", Kind: plan.KindUndecodableKey, Reason: fmt.Sprintf("%d more keys cannot be read", more)})
	}
	return chain.Build(objects), foreign, nil
}
