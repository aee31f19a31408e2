package fleet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// While a cycle cannot look at all syncs, what it has looked at is told as it was then, and not as it was when all could be.
func TestFailureSinceACycleThatLookedAtAll(t *testing.T) {
	lag := Lag{Destination: "acme/app@main", Kind: "Unreachable", Failing: at(-900), Met: at(1)}
	f := Facts{
		Sources: []Source{source("b", -70, "b", -65)}, CatalogCreated: at(4), Now: at(5),
		Cycle: Cycle{Began: at(0), Ended: at(2), Looked: at(-1000), Catalog: at(-1), Lags: Lags{List: []Lag{lag}}},
		Ends:  map[project.Branch]End{app.Identity(): {At: at(-60), Commit: "b"}},
	}
	require.Equal(t, Failing, Join(f).Syncs[0].State)
	require.Len(t, Suspects(f), 1)
	f.Cycle.Lags.List[0].Failing, f.Cycle.Lags.List[0].Met = at(-30), time.Time{} // by workers of before
	require.Equal(t, Failing, Join(f).Syncs[0].State)
	f.Ends[app.Identity()] = End{At: at(3), Commit: "b"}
	require.Equal(t, InSync, Join(f).Syncs[0].State)
}

// A pause that is over does not make what the cycle had left alone in sync.
func TestAfterAPause(t *testing.T) {
	long := source("b", -200, "b", -190)
	facts := func(end *End, lags ...Lag) Facts {
		f := situation{source: long, end: end}.facts(false, true)
		f.Cycle.Paused, f.Cycle.Lags.Paused = []Pause{{Destination: "acme/APP@main"}}, lags
		return f
	}
	lag := Lag{Destination: "acme/App@main", Since: at(-300), Is: "a", Kind: "PushRejected", Failing: at(-290), Met: at(-250)}
	now := Join(facts(&End{At: at(-250), Kind: "PushRejected"}, lag)).Syncs
	require.Len(t, now, 1)
	require.Equal(t, Failing, now[0].State)
	require.Equal(t, at(-300), now[0].BehindSince)
	require.Len(t, Suspects(facts(nil)), 1)
	require.Equal(t, Behind, Join(facts(&End{At: at(-250), Commit: "a"})).Syncs[0].State)
	require.Equal(t, InSync, Join(facts(&End{At: at(-180), Commit: "b"})).Syncs[0].State)
	require.Equal(t, InSync, Join(facts(nil)).Syncs[0].State, "nobody remembers a run")

	paused := facts(nil, lag)
	paused.Pauses = []Pause{{Destination: "acme/app@main"}}
	require.Equal(t, Paused, Join(paused).Syncs[0].State)
	require.Zero(t, Join(paused).OldestLag)
	paused.Sources = nil
	require.Equal(t, app.Identity(), Suspects(paused)[0].Identity())
}

// What is later than the failure that a cycle has met ends it, by the clock of who says so.
func TestWhatEndsAFailure(t *testing.T) {
	lag := Lag{Destination: "acme/app@main", Since: at(-9), Is: "a", Wanted: "b", Kind: "DiskFull", Failing: at(1), Met: at(1)}
	state := func(change func(*Facts)) Sync {
		f := situation{source: source("b", -9, "b", -8), lag: lag}.facts(true, true)
		change(&f)
		return Join(f).Syncs[0]
	}
	require.Equal(t, Failing, state(func(*Facts) {}).State)
	require.Equal(t, InSync, state(func(f *Facts) { f.Sources[0].MadeAt = at(2) }).State, "its object has been made since")
	before := state(func(f *Facts) {
		f.Cycle.Lags.List[0].Kind = ""
		f.Ends[app.Identity()] = End{At: at(-5), Kind: "PushRejected"}
	})
	require.Equal(t, Behind, before.State, "an end of before the cycle looked says nothing of now")
	other := state(func(f *Facts) { f.Cycle.Failed = []Reported{{"acme/app@main", "SourceMissing", "gone"}} })
	require.Equal(t, &Failure{Kind: "DiskFull", Since: at(1)}, other.Failure, "not with the reason of another")

	unreadable := func(since, uploaded int) State {
		return state(func(f *Facts) {
			f.Cycle.Lags.List, f.Sources[0].Failure = nil, &Failure{Kind: "GitAuthFailed", Since: at(since)}
			f.Ends[app.Identity()] = End{At: at(uploaded), Commit: "b"}
		}).State
	}
	require.Equal(t, Failing, unreadable(3, 2))
	require.Equal(t, InSync, unreadable(2, 3), "uploaded since the catalog said that it fails")
}

// The consumer's cycle has looked at what the catalog of then names, be its own clock days ahead.
func TestLookedByTheCatalogOfThen(t *testing.T) {
	f := situation{source: source("b", -90, "b", -80)}.facts(false, true)
	require.Empty(t, Suspects(f))
	f.Cycle.Catalog = at(-85)
	require.Len(t, Suspects(f), 1, "the object is newer than what the cycle knew of")
	require.Equal(t, Behind, situation{source: source("b", -90, "b", -80), end: &End{At: at(-200), Commit: "a"}}.withCatalogOf(at(-85)).State)
}

func (s situation) withCatalogOf(created time.Time) Sync {
	f := s.facts(false, true)
	f.Cycle.Catalog = created
	return Join(f).Syncs[0]
}

// A producer's catalog names all that lag, also those that its cycle only counts.
func TestProducersCatalogNamesAll(t *testing.T) {
	f := situation{source: source("b", -9, "b", -8)}.facts(true, true)
	f.Cycle.Lags.MoreBehind = 3
	require.Len(t, Join(f).Syncs, 1)
	f.InBucket = false
	f.Sources[0] = source("b", -200, "b", -190)
	require.Empty(t, Join(f).Syncs)
}
