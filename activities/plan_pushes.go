package activities

import (
	"cmp"
	"context"
	"maps"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// PlanPushes compares the bucket with what its producer says that it has, and with the heads of the destinations.
func (c *Consumer) PlanPushes(ctx context.Context, request PlanRequest) (plan.Page[plan.Push], error) {
	defer startMeter(ctx, 0).stop()
	s := newScan[plan.Push](request, c.planReader(request.Detail), c.Common)
	s.page.Warning, s.page.Catalog = c.warning(), request.Catalog
	return s.run(ctx, func(part plan.PageRequest) (next bucketPart[plan.Push], err error) {
		look, err := c.lookTwice(ctx, request, part, s.page.Catalog)
		if err != nil {
			return next, err
		}
		s.page.Catalog = look.catalog.newest
		for _, failure := range look.catalog.problems { // of each part: whoever controls the bucket need not answer all of them alike
			s.page.Fail(failure)
		}
		if part.After == 0 {
			look.open(s.page, s.pauses)
			if request.Detail && look.planner.Only == nil {
				showLFS(ctx, c.Common, s.page, look.contents, nil)
			}
		}
		next.candidates = look.planner.Candidates()
		next.notes, next.more = c.notes(look.planner.Chains), look.contents.omitted.Configured
		next.destination, next.changes = func(p plan.Push) project.Branch { return p.Destination }, c.pushChanges
		return next, nil
	})
}

// maxLooks is how often a plan looks at one part of the bucket. What the last look finds withheld is reported although no other has
// found it: a store that withholds something else each time would not be noticed.
const maxLooks = 4

// pushLook is one look at a part of the bucket: what the producer says of it, and then what it has. In this order, nothing
// can have replaced what the producer names before it could be seen.
type pushLook struct {
	catalog  consumerCatalog
	contents bucketContents
	planner  plan.PushPlanner
}

// lookTwice looks at a part of the bucket, and again as long as it finds something withheld that it has not found so before.
func (c *Consumer) lookTwice(ctx context.Context, request PlanRequest, part plan.PageRequest, newest plan.CatalogSeen) (look pushLook, err error) {
	before := map[project.Branch]bool{}
	for looks := 1; ; looks++ {
		if look, err = c.look(ctx, request, part, newest); err != nil {
			return look, err
		}
		news := len(before)
		maps.Copy(before, look.planner.Withheld())
		if len(before) == news || looks == maxLooks {
			return look, nil
		}
		newest = look.catalog.newest
	}
}

func (c *Consumer) look(ctx context.Context, request PlanRequest, part plan.PageRequest, newest plan.CatalogSeen) (look pushLook, err error) {
	if look.catalog, err = c.readCatalog(ctx, newest); err != nil {
		return look, err
	}
	want := selection{order: part.Order, after: part.After, allow: c.Allow, beside: func(o object.Stored) bool {
		return !o.ByPredecessor() || c.readsPredecessors() // else it is not pushed
	}}
	only := plan.NewSubset(request.Only...)
	if current := look.catalog.current; only != nil {
		want = want.limitedTo(only)
	} else if current != nil {
		named := func(b project.Branch) bool { _, ok := current.Sync(b); return ok }
		want.first, want.configured = named, named // the others are not pushed
	}
	if look.contents, err = readBucket(ctx, c.Bucket, want); err != nil {
		return look, err
	}
	look.planner = plan.PushPlanner{
		PageRequest: part, Only: only, Chains: look.contents.chains, Newest: look.contents.newest, Covers: look.contents.covers, Catalog: look.catalog.current,
		Allow: c.Allow, RequireNoted: c.Verifier.Verifies(), Rollback: request.retries,
		ReadPredecessor: c.readsPredecessors(), CreateProjects: c.CreateProjects, Settings: c.Settings,
	}
	return look, nil
}

// open adds to the first page of a cycle what concerns no single branch.
func (l pushLook) open(page *plan.Page[plan.Push], pauses plan.Pauses) {
	page.Checked = l.contents.refused
	failures := l.contents.failures
	if l.planner.Only == nil {
		page.Bucket = l.contents.use
	} else {
		failures = l.planner.SubsetFailures()
		page.Checked = len(failures)
	}
	page.FailOrPause(failures, pauses)
	page.Warning = cmp.Or(page.Warning, l.catalog.warning) // those without keys to verify read no catalog
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
