package activities

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// What a plan has seen goes into the catalog, but neither what was seen before what is there, nor times at which nobody has seen anything.
func TestWhatACatalogTakesIn(t *testing.T) {
	t.Parallel()
	b := project.Branch{Group: "group", Name: "p", Branch: "main"}
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	hour := now.Add(-time.Hour)
	known := catalog.Sync{Destination: b, State: "old", SeenAt: hour, MovedAt: hour, Failure: &catalog.Failure{Kind: "DiskFull", Since: hour}}
	with := func(change func(*catalog.Sync)) catalog.Sync {
		s := known
		change(&s)
		return s
	}
	moved := with(func(s *catalog.Sync) { s.State, s.SeenAt, s.MovedAt = "new", now, now })
	failing := func(kind string, since time.Time) catalog.Sync {
		return with(func(s *catalog.Sync) { s.Failure = &catalog.Failure{Kind: kind, Since: since} })
	}
	for name, tt := range map[string]struct {
		look    plan.Look
		at      time.Time
		want    catalog.Sync
		changed bool
	}{
		"still":       {plan.Look{Head: plan.Head{Commit: "old"}}, now, with(func(s *catalog.Sync) { s.SeenAt, s.Failure = now, nil }), true},
		"moves":       {plan.Look{Head: plan.Head{Commit: "new"}, Moves: true}, now, moved, true},
		"seen before": {plan.Look{Head: plan.Head{Commit: "new"}}, hour.Add(-time.Minute), known, false},
		"the clock was back": {plan.Look{Head: plan.Head{Commit: "new"}, Moves: true}, hour.AddDate(0, 0, -2), with(func(s *catalog.Sync) {
			s.State, s.SeenAt, s.MovedAt = "new", hour.AddDate(0, 0, -2), hour.AddDate(0, 0, -2)
		}), true},
		"unreachable":       {plan.Look{Failure: plan.KindUnreachable, Head: plan.Head{Err: errors.New("timeout")}}, now, failing(plan.KindUnreachable, now), true},
		"unreadable":        {plan.Look{Moves: true, Head: plan.Head{Err: smarthttp.ErrUnauthorized}}, now, failing("GitAuthFailed", now), true},
		"no branch":         {plan.Look{Moves: true}, now, failing(plan.KindBranchNotFound, now), true},
		"refused":           {plan.Look{Moves: true, Failure: "TooLarge", Since: hour, Head: plan.Head{Commit: "old"}}, now, with(func(s *catalog.Sync) { s.SeenAt, s.Failure = now, &catalog.Failure{Kind: "TooLarge", Since: hour} }), true},
		"refused as before": {plan.Look{Moves: true, Failure: "DiskFull", Since: now, Head: plan.Head{Commit: "old"}}, now, with(func(s *catalog.Sync) { s.SeenAt = now }), false},
		"since tomorrow":    {plan.Look{Failure: "TooLarge", Since: now.AddDate(20_000, 0, 0)}, now, failing("TooLarge", now), true},
		"not configured":    {plan.Look{Destination: project.Branch{Group: "group", Name: "q", Branch: "main"}}, now, known, false},
	} {
		d := newDraft(catalog.Catalog{Syncs: []catalog.Sync{known}})
		if tt.look.Destination.Name == "" {
			tt.look.Destination = b
		}
		d.see([]plan.Look{tt.look}, tt.at)
		require.Equal(t, []catalog.Sync{tt.want}, d.finish().Syncs, name)
		require.Equal(t, tt.changed, d.changed, name)
	}
}

// An object that was made before the one that the catalog has does not take its place, unless that says what only a wrong clock can have said.
func TestWhatACatalogRenews(t *testing.T) {
	t.Parallel()
	b := project.Branch{Group: "group", Name: "p", Branch: "main"}
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	last := catalog.Object{Commit: "last", Chain: "last", Modified: now, MadeAt: now}
	ahead := last
	ahead.MadeAt = now.AddDate(0, 0, 2)
	next := func(madeAt time.Time) catalog.Object {
		return catalog.Object{Commit: "next", Chain: "next", Modified: now.Add(time.Minute), MadeAt: madeAt}
	}
	for name, tt := range map[string]struct {
		last  *catalog.Object
		next  catalog.Object
		taken bool
	}{
		"none before":     {nil, next(now), true},
		"later":           {&last, next(now.Add(1)), true},
		"not later":       {&last, next(now), false},
		"after one ahead": {&ahead, next(now), true},
		"the same":        {&last, last, false},
	} {
		d := newDraft(catalog.Catalog{Syncs: []catalog.Sync{{Destination: b, Object: tt.last}}})
		d.renew(map[project.Branch]catalog.Object{b.Identity(): tt.next})
		require.Equal(t, tt.taken, d.changed, name)
		require.Equal(t, tt.taken, *d.finish().Syncs[0].Object == tt.next && d.changed, name)
	}
}
