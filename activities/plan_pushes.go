package activities

import (
	"context"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// PlanPushes compares the bucket with the heads of the destinations.
func (c *Consumer) PlanPushes(ctx context.Context, request PlanRequest) (plan.Page[plan.Push], error) {
	defer startMeter(ctx, 0).stop()
	s := newScan[plan.Push](request, c.planReader(request.Detail), c.Common)
	s.page.Warning = c.warning()
	only := plan.NewSubset(request.Only...)
	return s.run(ctx, func(part plan.PageRequest) (next bucketPart[plan.Push], err error) {
		contents, err := c.readBucket(ctx, part, only)
		if err != nil {
			return next, err
		}
		planner := plan.PushPlanner{
			PageRequest: part, Only: only, Chains: contents.chains, Newest: contents.newest, Allow: c.Allow, RequireNoted: c.Verifier.Verifies(),
			ReadPredecessor: c.readsPredecessors(), CreateProjects: c.CreateProjects, Settings: c.Settings,
		}
		if part.After == 0 {
			failUnread(s.page, planner, contents)
		}
		next.candidates = planner.Candidates()
		next.notes, next.more = c.notes(contents.chains), contents.omitted.Configured
		next.destination, next.changes = func(p plan.Push) project.Branch { return p.Destination }, c.pushChanges
		return next, nil
	})
}

// readBucket lists the bucket, or what it has of a few destinations.
func (c *Consumer) readBucket(ctx context.Context, part plan.PageRequest, only plan.Subset) (bucketContents, error) {
	want := selection{order: part.Order, after: part.After, allow: c.Allow, beside: func(o object.Stored) bool {
		return !o.ByPredecessor() || c.readsPredecessors() // else it is not pushed
	}}
	if only != nil {
		want = want.limitedTo(only)
	}
	return readBucket(ctx, c.Bucket, want)
}

// failUnread adds to the first page of a cycle the failures of what is no candidate.
func failUnread(page *plan.Page[plan.Push], planner plan.PushPlanner, contents bucketContents) {
	page.Checked = contents.refused
	failures := contents.failures
	if planner.Only != nil {
		failures = planner.SubsetFailures()
		page.Checked = len(failures)
	}
	for _, failure := range failures {
		page.Fail(failure)
	}
}

// notes returns for each branch the ref which says that its newest object has been looked at; for each set, what the
// name of such a ref begins with.
func (c *Consumer) notes(chains map[project.Branch]chain.Chain) map[project.Branch]string {
	notes := map[project.Branch]string{}
	for b, chain := range chains {
		if b.IsSet() {
			notes[b] = setNotePrefix(b, chain.Newest().Modified, noteSettings{unsigned: !c.Verifier.Verifies(), keeping: !c.deletionPolicy().allowed})
		} else if c.Verifier.Verifies() || c.readsPredecessors() {
			notes[b] = objectRef(b, chain.Newest().Modified)
		}
	}
	return notes
}
