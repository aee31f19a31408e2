package activities

import (
	"context"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// PlanUploads compares the heads of the sources with the bucket.
func (p *Producer) PlanUploads(ctx context.Context, syncs []project.Sync) (plan.Uploads, error) {
	defer startMeter(ctx, 0).stop()
	chains, foreign, err := listChains(ctx, p.Bucket)
	if err != nil {
		return plan.Uploads{}, err
	}
	accepted, _ := plan.Accept(syncs)
	sources := make([]project.Branch, len(accepted))
	for i, s := range accepted {
		sources[i] = s.Source
	}
	heads, err := readHeads(ctx, p.Source, sources)
	if err != nil {
		return plan.Uploads{}, err
	}
	out := plan.Producer{Syncs: syncs, Heads: heads, Chains: chains, MaxPruneShare: p.MaxPruneShare}.Plan()
	out.Failures = append(out.Failures, foreign...)
	return out, nil
}
