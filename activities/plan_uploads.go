package activities

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// PlanUploads compares the heads of the sources with the bucket. It reads the syncs and the bucket itself, because
// they would not fit into a history. Where the catalog cannot be read, and a retry would not help, it plans as without one.
func (p *Producer) PlanUploads(ctx context.Context, request PlanRequest) (page plan.Page[plan.Upload], err error) {
	defer startMeter(ctx, 0).stop()
	syncs, err := p.listSyncs(ctx)
	if err != nil {
		return page, err
	}
	ledger, err := p.openLedger(ctx, syncs)
	unreadable := err
	if err != nil && (mayPass(err) || ctx.Err() != nil) {
		return page, err
	}
	planner := plan.UploadPlanner{
		Syncs: syncs, Only: plan.NewSubset(request.Only...), LastSeen: ledger.lastSeen, Now: p.Clock(), Settings: p.Settings, WritePredecessor: p.WritePredecessor,
	}
	s := newScan[plan.Upload](request, p.Source, p.Common)
	page, err = s.run(ctx, func(part plan.PageRequest) (next bucketPart[plan.Upload], err error) {
		contents, err := p.readBucket(ctx, part.Order, part.After, syncs, request.Absence, planner.Only)
		if err != nil {
			return next, err
		}
		if unreadable != nil {
			failBucket(s.page, fmt.Errorf("%w: read the last one: %w", ErrCatalogNotWritten, unreadable))
			unreadable = nil
		}
		if part.After == 0 {
			p.openPage(s, planner, contents)
			if planner.Only == nil {
				p.openLFS(ctx, s.page, syncs, contents, request)
			}
		}
		planner.PageRequest, planner.Chains, planner.Covers, planner.Trust = part, contents.chains, contents.covers, ledger.trust
		next.candidates, next.more = planner.Candidates()
		ledger.compare(ctx, contents.chains, destinations(next.candidates))
		next.destination = func(u plan.Upload) project.Branch { return u.Sync.Destination }
		next.changes = func(ctx context.Context, u plan.Upload) (plan.RefChanges, error) {
			return p.uploadChanges(ctx, u.Sync, contents.chainOf(u.Sync.Destination))
		}
		return next, nil
	})
	if err == nil && !request.Detail && ledger != nil {
		ledger.closePage(ctx, &page, p.intervalSeconds(ctx, request))
	}
	return page, err
}

// intervalSeconds is how often cycles begin; 0 if that is not known. The schedule itself knows best: it may have been made, or changed,
// by other means than the starter, which has its cycles say it.
func (p *Producer) intervalSeconds(ctx context.Context, request PlanRequest) int {
	if len(request.Only) > 0 { // in between
		return 0
	}
	return cmp.Or(p.Cycles.intervalSeconds(ctx), max(0, request.IntervalSeconds))
}

func destinations[M any](candidates []plan.Candidate[M]) (all []project.Branch) {
	for _, c := range candidates {
		all = append(all, c.Destination)
	}
	return all
}

// openPage adds to the first page of a cycle what concerns no single branch.
func (p *Producer) openPage(s *scan[plan.Upload], planner plan.UploadPlanner, contents bucketContents) {
	page := s.page
	if planner.Only != nil {
		failures := planner.SubsetFailures()
		page.Checked = len(failures)
		page.FailOrPause(failures, s.pauses)
		return
	}
	page.Bucket = contents.use
	_, refused := planner.ValidateSyncs()
	page.Checked = len(refused)
	page.Orphans = p.Retention.Orphans(planner.Syncs, contents.chains, contents.omitted, s.request.Absence, p.Clock())
	page.Orphans.Due = slices.DeleteFunc(page.Orphans.Due, s.pauses.Has)
	unpaused := withoutPaused(contents.chains, s.pauses) // what is paused keeps all that it has
	for b, c := range unpaused {
		if !slices.Contains(page.Orphans.Due, b) {
			page.Superseded += len(c.Superseded)
		}
	}
	if p.stopsConsumer(contents) {
		page.Superseded++
	}
	if s.request.Detail {
		page.Deletable = page.Orphans.Deletable(unpaused)
	}
	page.Warning = page.Orphans.Warning
	if failure := page.Orphans.Failure; failure != nil {
		page.Fail(*failure)
	}
	page.FailOrPause(append(contents.failures, refused...), s.pauses)
}

// readBucket lists the bucket. Destinations that are configured, or remembered as absent, are kept before those that
// nobody asked for. A subset limits what is read.
func (p *Producer) readBucket(
	ctx context.Context, t turn.Order, after turn.Position, syncs []project.Sync, absence plan.Absence, only plan.Subset,
) (bucketContents, error) {
	want := selection{order: t, after: after, allow: project.AllowAll(), forPredecessor: p.WritePredecessor}
	if only != nil {
		return readBucket(ctx, p.Bucket, want.limitedTo(only))
	}
	ours := make(map[project.Branch]bool, len(syncs)+len(absence.Branches))
	for _, a := range absence.Branches {
		ours[a.Destination.Identity()] = false
	}
	for _, s := range syncs {
		ours[s.Destination.Identity()] = true
	}
	want.first = func(b project.Branch) bool { _, first := ours[b]; return first }
	want.configured = func(b project.Branch) bool { return ours[b] }
	return readBucket(ctx, p.Bucket, want)
}

// nameHeads gives the failures of a plan that is only shown the kinds and remedies that a run would give them.
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
