package plan

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// catalogOf names for each destination an object that was uploaded at that many seconds; below 0, none.
func catalogOf(uploaded map[project.Branch]int64) *catalog.Catalog {
	c := &catalog.Catalog{Sequence: 7, CreatedAt: noon}
	for b, seconds := range uploaded {
		s := catalog.Sync{Destination: b, State: "bbb", SeenAt: noon, MovedAt: noon.Add(-time.Hour)}
		if seconds >= 0 {
			s.Object = &catalog.Object{Commit: "bbb", Modified: time.Unix(seconds, 0), MadeAt: time.Unix(seconds, 0), ManifestSHA256: "aa"}
		}
		c.Syncs = append(c.Syncs, s)
	}
	slices.SortFunc(c.Syncs, func(x, y catalog.Sync) int { return catalog.Compare(x.Destination, y.Destination) })
	return c
}

func TestPushesByTheCatalog(t *testing.T) {
	t.Parallel()
	main := destination("router", "main")
	behind, there := Head{Commit: "ccc"}, Head{Commit: b, Noted: b}
	has := func(commits ...string) map[project.Branch][]string {
		if commits == nil {
			return nil
		}
		return map[project.Branch][]string{main: commits}
	}
	for name, tt := range map[string]struct {
		named    int64 // when the object was uploaded that the catalog names; below 0 if it names none
		has      map[project.Branch][]string
		head     Head
		pushed   bool
		failure  string
		upToDate bool
	}{
		"the object that is named": {1, has(a, b), behind, true, "", false},
		"is at the destination":    {1, has(a, b), there, false, "", true},
		"a newer one":              {0, has(a, b), behind, true, "", false},
		"none is named yet":        {-1, has(a, b), behind, true, "", false},
		"withheld":                 {1, has(a), behind, false, "the bucket's newest object of it was uploaded 1970-01-01T00:00:00Z, and the producer's catalog of 2026-03-01T12:00:00Z has one that was uploaded 1970-01-01T00:00:01Z", false},
		"withheld from a destination that is at what there is": {2, has(a, b), there, false, "the bucket's newest object of it was uploaded 1970-01-01T00:00:01Z, and the producer's catalog of 2026-03-01T12:00:00Z has one that was uploaded 1970-01-01T00:00:02Z", false},
		"withheld, and the destination is silent":              {2, has(a), Head{Err: errors.New("no"), Unreachable: true}, false, "the bucket's newest object of it was uploaded 1970-01-01T00:00:00Z, and the producer's catalog of 2026-03-01T12:00:00Z has one that was uploaded 1970-01-01T00:00:02Z", false},
		"nothing is left":            {1, has(), behind, false, "the bucket has no object of it, and the producer's catalog of 2026-03-01T12:00:00Z has one that was uploaded 1970-01-01T00:00:01Z", false},
		"nothing, and none is named": {-1, has(), behind, false, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := planPushes(PushPlanner{
				Allow: project.AllowAll(), Catalog: catalogOf(map[project.Branch]int64{main: tt.named}), Chains: bucket(tt.has), RequireNoted: true,
			}, map[project.Branch]Head{main: tt.head})
			require.Equal(t, tt.upToDate, page.UpToDate == 1)
			require.Equal(t, tt.pushed, len(page.Moves) == 1)
			if tt.pushed && tt.named >= 0 {
				require.Equal(t, Expected{Modified: time.Unix(tt.named, 0), MadeAt: time.Unix(tt.named, 0), ManifestSHA256: "aa"}, page.Moves[0].Expected)
			} else if tt.pushed {
				require.Zero(t, page.Moves[0].Expected)
			}
			if tt.failure == "" {
				require.Empty(t, page.Failed)
				return
			}
			require.Equal(t, []Failure{{Subject: "dst/router@main", Kind: KindObjectWithheld, Reason: tt.failure}}, page.Failed)
		})
	}
}

// An operator who lets a destination go back to an older object gets that.
func TestRollbackOverrulesTheCatalog(t *testing.T) {
	t.Parallel()
	main, other := destination("router", "main"), destination("other", "main")
	page := planPushes(PushPlanner{
		Allow: project.AllowAll(), Catalog: catalogOf(map[project.Branch]int64{main: 1, other: 1}), Chains: bucket(map[project.Branch][]string{main: {a}, other: {a}}),
		Rollback: func(b project.Branch) bool { return b == main },
	}, nil)
	require.Len(t, page.Moves, 1)
	require.Equal(t, main, page.Moves[0].Destination)
	require.Zero(t, page.Moves[0].Expected)
	require.Len(t, page.Failed, 1)
}

// What the producer does not name is not pushed, and covers nothing that it does: an object that somebody has put back
// keeps no other from its turn. That is no failure, but counted.
func TestWhatIsNotInTheCatalogWaits(t *testing.T) {
	t.Parallel()
	main, set, other := destination("router", "main"), destination("router", "refs/heads/*"), destination("other", "main")
	p := PushPlanner{
		Allow: project.AllowAll(), Catalog: catalogOf(map[project.Branch]int64{main: 0}),
		Chains: bucket(map[project.Branch][]string{main: {a}, set: {a, b}}),
		Newest: map[project.Branch]object.Stored{destination("router", "refs/*").Identity(): {ID: object.ID{Destination: destination("router", "refs/*")}, Key: "k", Modified: time.Unix(9, 0)}},
	}
	page := planPushes(p, nil)
	require.Len(t, page.Moves, 1)
	require.Equal(t, main, page.Moves[0].Destination)
	require.Empty(t, page.Failed)
	require.Equal(t, 1, page.NotCatalogued)
	require.Zero(t, page.UpToDate)
	require.Empty(t, page.Waiting, "only a plan that is shown lists them")

	p.Detail = true
	page = planPushes(p, nil)
	require.Equal(t, []BranchStatus{{
		Destination: set.String(), Since: time.Unix(1, 0), Reason: "it is not in the producer's catalog: nothing is pushed of it", NotCatalogued: true,
		Ends: &Ends{Source: b, Objects: 2, Size: 1100, BehindSince: time.Unix(1, 0), AtLeast: true},
	}}, page.Waiting)

	p.Catalog = nil
	require.Empty(t, planPushes(p, nil).Moves, "without a catalog, the newest of all covers the others")
	p.Newest = nil
	require.Equal(t, set, planPushes(p, nil).Moves[0].Destination)
	p.Chains, p.Catalog = bucket(map[project.Branch][]string{other: {a}}), &catalog.Catalog{CreatedAt: noon}
	require.Equal(t, 1, planPushes(p, nil).NotCatalogued, "a producer that has no syncs any more")
}

// A page misses only what it looked for: what is the consumer's, behind its position, and in the part of the bucket that
// was read.
func TestAbsentDestinations(t *testing.T) {
	t.Parallel()
	main, other := destination("router", "main"), destination("other", "main")
	p := PushPlanner{Allow: project.AllowAll(), Catalog: catalogOf(map[project.Branch]int64{main: 1, other: 1})}
	identities := func() []project.Branch { return slices.Collect(maps.Keys(p.Withheld())) }
	require.ElementsMatch(t, []project.Branch{main, other}, identities())
	require.Len(t, p.Candidates(), 2)

	p.Covers = func(b project.Branch) bool { return b == main }
	require.Equal(t, []project.Branch{main}, identities())
	require.Len(t, p.Candidates(), 1)
	p.Covers = nil

	first := p.Candidates()[0]
	p.After = first.Position
	require.NotContains(t, identities(), first.Destination)
	require.Len(t, p.Candidates(), 1)
	p.After = 0

	var err error
	p.Allow, err = project.ParseAllowlist("dst/other")
	require.NoError(t, err)
	require.Equal(t, []project.Branch{other}, identities())
	require.Len(t, p.Candidates(), 1)

	p.Allow, p.Chains = project.AllowAll(), bucket(map[project.Branch][]string{destination("Router", "main"): {a, b}, other: {a, b}})
	require.Empty(t, identities(), "in another spelling it is there")
}

// A plan that is shown says what the other side knows of each sync, wherever it stands in the plan.
func TestPlansSayWhatTheSourceIsAt(t *testing.T) {
	t.Parallel()
	moves, inStep, elsewhere, never, withheld := destination("a", "m"), destination("b", "m"), destination("c", "m"), destination("d", "m"), destination("e", "m")
	p := PushPlanner{
		PageRequest: PageRequest{Detail: true}, Allow: project.AllowAll(),
		Catalog: catalogOf(map[project.Branch]int64{moves: 0, inStep: 0, elsewhere: 0, never: -1, withheld: 9}),
		Chains:  bucket(map[project.Branch][]string{moves: {"bbb"}, inStep: {"bbb"}, elsewhere: {"ccc"}, withheld: {"bbb"}}),
	}
	for i, s := range p.Catalog.Syncs {
		if s.Destination == never {
			p.Catalog.Syncs[i] = catalog.Sync{Destination: never, Failure: &catalog.Failure{Kind: "GitAuthFailed", Since: noon}}
		}
	}
	page := planPushes(p, map[project.Branch]Head{inStep: {Commit: "bbb"}, elsewhere: {Commit: "ccc"}, withheld: {Commit: "bbb"}})
	seen := func(there string) *SourceStatus {
		s := &SourceStatus{State: "bbb", SeenAt: noon, Destination: there}
		if there != "bbb" {
			s.BehindSince = noon.Add(-time.Hour)
		}
		return s
	}
	require.Len(t, page.Moves, 1)
	require.Equal(t, map[string]*SourceStatus{moves.String(): seen(""), withheld.String(): seen("bbb")}, page.Sources)
	sources := map[string]*SourceStatus{}
	for _, s := range page.InSync {
		sources[s.Destination] = s.Source
	}
	require.Equal(t, map[string]*SourceStatus{inStep.String(): seen("bbb"), elsewhere.String(): seen("ccc")}, sources)
	require.Equal(t, []BranchStatus{{
		Destination: never.String(), Reason: "the bucket has no object of it yet", Source: &SourceStatus{Failure: "GitAuthFailed", FailingSince: noon},
		Ends: &Ends{},
	}}, page.Waiting)

	set := destination("f", "refs/heads/*")
	p.Catalog, p.Chains = catalogOf(map[project.Branch]int64{set: 0}), bucket(map[project.Branch][]string{set: {"bbb"}})
	beside := planPushes(p, map[project.Branch]Head{set: {Commit: "with refs of others", Noted: "with refs of others"}})
	require.Equal(t, seen("bbb"), beside.InSync[0].Source)

	p.Detail = false
	page = planPushes(p, nil)
	require.Empty(t, page.Sources)
	require.Empty(t, page.Ends)
	require.Empty(t, page.Waiting)
}

// The catalog says when the source moved to what the bucket has, and nothing of an object that is newer than itself.
func TestMovedAt(t *testing.T) {
	main, moved := destination("router", "main"), time.Unix(1000, 0)
	chains := bucket(map[project.Branch][]string{main: {a, b}})
	for state, want := range map[string]time.Time{b: moved, a: {}} {
		c := &catalog.Catalog{Syncs: []catalog.Sync{{Destination: main, State: state, MovedAt: moved}}}
		out := planPushes(PushPlanner{Chains: chains, Allow: project.AllowAll(), Catalog: c}, map[project.Branch]Head{main: {Commit: a}})
		require.Len(t, out.Moves, 1)
		require.Equal(t, want, out.Moves[0].MovedAt)
	}
}
