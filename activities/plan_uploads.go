package activities

import (
	"context"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// PlanRequest says what is to be planned.
type PlanRequest struct {
	Syncs []project.Sync `json:"syncs,omitempty"` // the producer's
	// Detail lists the branches that are in sync, too.
	Detail bool `json:"detail,omitempty"`
}

// PlanUploads compares the heads of the sources with the bucket.
func (p *Producer) PlanUploads(ctx context.Context, request PlanRequest) (plan.Uploads, error) {
	defer startMeter(ctx, 0).stop()
	chains, foreign, err := listChains(ctx, p.Bucket)
	if err != nil {
		return plan.Uploads{}, err
	}
	accepted, _ := plan.Accept(request.Syncs)
	sources := make([]project.Branch, len(accepted))
	for i, s := range accepted {
		sources[i] = s.Source
	}
	heads, err := readHeads(ctx, p.Source, sources, nil)
	if err != nil {
		return plan.Uploads{}, err
	}
	out := plan.Producer{
		Syncs:         request.Syncs,
		Heads:         heads,
		Chains:        chains,
		MaxPruneShare: p.MaxPruneShare,
		Detail:        request.Detail,
	}.Plan()
	countBranches(ctx, out.UpToDate, len(out.Uploads), out.Checked-out.UpToDate-len(out.Uploads))
	out.Failures = append(out.Failures, foreign...)
	return out, nil
}
