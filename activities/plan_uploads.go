package activities

import (
	"context"
	"fmt"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// PlanRequest says what is to be planned.
type PlanRequest struct {
	Syncs []project.Sync `json:"syncs,omitempty"` // the producer's
	// Absence is what the last cycle of the producer has found to be absent.
	Absence plan.Absence `json:"absence,omitzero"`
	// Detail is for a plan that is only shown: see plan.Consumer.
	Detail bool `json:"detail,omitempty"`
	// Retry names the destinations that are tried although they were refused: the operator has said
	// something new about them.
	Retry []string `json:"retry,omitempty"`
}

// patient leaves out the branches that are to be tried in any case.
func (r PlanRequest) patient(branches []project.Branch) []project.Branch {
	return slices.DeleteFunc(branches, func(b project.Branch) bool { return slices.Contains(r.Retry, b.String()) })
}

// readHeads reads the heads that a plan compares. When the activity itself is cut off, all that is still
// asked for fails, and none of that is the Git server's fault.
func (r PlanRequest) readHeads(ctx context.Context, server RefReader, branches []project.Branch, notes map[project.Branch]string) (map[project.Branch]plan.Head, error) {
	heads, err := readHeads(ctx, server, branches, notes)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if r.Detail {
		nameHeads(heads)
	}
	return heads, err
}

// readBucket lists the bucket. What is configured, and what was remembered to be absent, is never left out for
// the sake of what nobody has asked for.
func (p *Producer) readBucket(ctx context.Context, now turn.Turn, syncs []project.Sync, absence plan.Absence) (contents, error) {
	ours := make(map[project.Branch]bool, len(syncs)+len(absence.Branches))
	for _, s := range syncs {
		ours[s.Destination.Identity()] = true
	}
	for _, a := range absence.Branches {
		ours[a.Destination.Identity()] = true
	}
	return readBucket(ctx, p.Bucket, now, selection{first: func(b project.Branch) bool { return ours[b] }, allow: project.AllowAll()})
}

// PlanUploads compares the heads of the sources with the bucket.
func (p *Producer) PlanUploads(ctx context.Context, request PlanRequest) (plan.Uploads, error) {
	defer startMeter(ctx, 0).stop()
	accepted, _ := plan.Accept(request.Syncs)
	sources := make([]project.Branch, len(accepted))
	for i, s := range accepted {
		sources[i] = s.Source
	}
	now := turn.At(p.Clock())
	held, err := p.readBucket(ctx, now, request.Syncs, request.Absence)
	if err != nil {
		return plan.Uploads{}, err
	}
	heads, err := request.readHeads(ctx, p.Source, sources, nil)
	if err != nil {
		return plan.Uploads{}, err
	}
	out := plan.Producer{
		Syncs:     request.Syncs,
		Heads:     heads,
		Chains:    held.chains,
		Covers:    held.covers,
		Retention: p.Retention,
		Absence:   request.Absence,
		Now:       p.Clock(),
		Settings:  p.Settings,
		Turn:      now,
		Detail:    request.Detail,
	}.Plan()
	destinations := make([]project.Branch, len(out.Uploads))
	for i, u := range out.Uploads {
		destinations[i] = u.Sync.Destination
	}
	out.HoldBack(p.LastRuns.refusals(ctx, request.patient(destinations)), p.Clock())
	countBranches(ctx, out.UpToDate, len(out.Uploads), out.Checked-out.UpToDate-len(out.Uploads))
	out.Failures = explained(append(out.Failures, held.failures...))
	return out.Bounded(now), nil
}

// nameHeads gives the failures of a plan that is only shown their kinds and remedies, as a run would that
// ran into them.
func nameHeads(heads map[project.Branch]plan.Head) {
	for b, head := range heads {
		for _, k := range kinds {
			if head.Err != nil && k.matches(head.Err) {
				head.Kind, head.Err = k.name, fmt.Errorf("%w\n%s", head.Err, k.remedy)
				heads[b] = head
				break
			}
		}
	}
}
