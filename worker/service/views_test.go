package service

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// told is what a side's views are told.
type told struct {
	fails    atomic.Bool // Temporal does not answer
	cycle    fleet.Cycle
	catalog  activities.SourceStates
	seen     int64 // the newest catalog's number that is known
	ends     map[string]fleet.End
	asked    []string
	bounded  atomic.Bool // how long it may take
	schedule fleet.Schedule
}

func (w *told) views(role contract.Role, list activities.SyncList) *views {
	v := &views{
		role: role, log: quietLog,
		cycle: func(ctx context.Context) (fleet.Cycle, error) {
			_, bounded := ctx.Deadline()
			w.bounded.Store(bounded)
			if w.fails.Load() {
				return fleet.Cycle{}, errors.New("not connected")
			}
			return w.cycle, nil
		},
		schedule: func(context.Context) (fleet.Schedule, error) { return w.schedule, nil },
		pauses:   func(context.Context) ([]fleet.Pause, error) { return nil, nil },
		ends: func(_ context.Context, branches []project.Branch) map[project.Branch]fleet.End {
			found := map[project.Branch]fleet.End{}
			w.asked = nil
			for _, b := range branches {
				w.asked = append(w.asked, b.String())
				if end, ok := w.ends[b.String()]; ok {
					found[b.Identity()] = end
				}
			}
			return found
		},
		sources: func(_ context.Context, last activities.SourceStates) activities.SourceStates {
			w.seen = last.Seen.Sequence
			return w.catalog
		},
	}
	if list != nil {
		v.syncs = &syncIndex{list: list, log: quietLog}
	}
	return v
}

func named(i int) project.Branch {
	return project.Branch{Group: "g", Name: fmt.Sprintf("p%03d", i), Branch: "main"}
}

// A view that cannot be renewed is shown for a while, and then nothing is.
func TestViewsAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &told{}
		v := w.views(contract.Consumer, nil)
		_, ok := v.Latest()
		require.False(t, ok)
		ctx, stop := context.WithCancel(t.Context())
		go v.run(ctx)
		synctest.Wait()
		require.True(t, w.bounded.Load())
		first, ok := v.Latest()
		require.True(t, ok)
		time.Sleep(viewInterval)
		synctest.Wait()
		second, ok := v.Latest()
		require.True(t, ok)
		require.Equal(t, viewInterval, second.ReadAt.Sub(first.ReadAt))
		w.fails.Store(true)
		time.Sleep(maxViewAge - viewInterval)
		synctest.Wait()
		last, ok := v.Latest()
		require.True(t, ok)
		require.Equal(t, second.ReadAt, last.ReadAt)
		time.Sleep(viewInterval)
		synctest.Wait()
		_, ok = v.Latest()
		require.False(t, ok)
		w.fails.Store(false)
		time.Sleep(viewInterval)
		synctest.Wait()
		_, ok = v.Latest()
		require.True(t, ok)
		stop()
		synctest.Wait()
	})
}

// What cannot be read of the sources is told, since when it cannot, and what was read before has to do.
func TestViewsWithoutNewSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &told{cycle: fleet.Cycle{Looked: time.Now(), Ended: time.Now()}}
		w.catalog = activities.SourceStates{Created: time.Now(), Syncs: []fleet.Source{{Destination: named(1), State: "a", Object: "a"}}}
		v := w.views(contract.Consumer, nil)
		read := func() fleet.View {
			t.Helper()
			view, err := v.read(t.Context())
			require.NoError(t, err)
			require.Len(t, view.Syncs, 1)
			return view
		}
		require.Empty(t, read().Failures)
		w.catalog.Failure = &plan.Failure{Subject: "catalog", Kind: "CatalogInvalid", Reason: "not signed\ncheck the keys"}
		failingSince := time.Now()
		want := []fleet.SideFailure{{Subject: "catalog", Failure: fleet.Failure{Kind: "CatalogInvalid", Since: failingSince, Reason: "not signed", Remedy: "check the keys"}}}
		require.Equal(t, want, read().Failures)
		time.Sleep(time.Minute)
		require.Equal(t, want, read().Failures)
		w.catalog.Failure = nil
		require.Empty(t, read().Failures)
	})
}

// The producer's syncs are those of its list, also when its catalog knows others.
func TestProducersViewNamesItsList(t *testing.T) {
	list := &syncsOf{syncs: []project.Sync{syncFrom(t, "a/new@main", "b/new@main"), syncFrom(t, "a/old@main", "b/old@main")}}
	w := &told{cycle: fleet.Cycle{Looked: time.Now()}}
	b := func(name string) project.Branch { return project.Branch{Group: "b", Name: name, Branch: "main"} }
	w.catalog = activities.SourceStates{Created: time.Now(), Syncs: []fleet.Source{{Destination: b("gone"), State: "x"}, {Destination: b("old"), State: "a", Object: "a"}}}
	view, err := w.views(contract.Producer, list).read(t.Context())
	require.NoError(t, err)
	states := map[string]fleet.State{}
	for _, s := range view.Syncs {
		states[s.Destination] = s.State
		require.Equal(t, "produce/"+s.Destination, s.Workflow)
	}
	require.Equal(t, map[string]fleet.State{"b/new@main": fleet.Never, "b/old@main": fleet.InSync}, states)

	list.set(0, errors.New("no answer"))
	view, err = w.views(contract.Producer, list).read(t.Context())
	require.NoError(t, err)
	require.Equal(t, "list of syncs", view.Failures[0].Subject)
	require.Equal(t, "no answer", view.Failures[0].Reason)
}

// However many syncs lag, one reading asks for so many runs and no more, each in its turn. What is known to have arrived is not
// asked for again.
func TestEndsAreAskedInTurn(t *testing.T) {
	const lagging = 3*maxEndsAsked - 50
	looked := time.Now().Add(-time.Minute)
	w := &told{ends: map[string]fleet.End{}, cycle: fleet.Cycle{Looked: looked, Catalog: looked}, catalog: activities.SourceStates{Created: looked}}
	for i := range lagging {
		b := named(i)
		w.catalog.Syncs = append(w.catalog.Syncs, fleet.Source{Destination: b, State: "b", Object: "b"})
		w.cycle.Lags.List = append(w.cycle.Lags.List, fleet.Lag{Destination: b.String(), Is: "a", Wanted: "b", Since: looked})
	}
	w.ends[named(7).String()] = fleet.End{At: time.Now(), Commit: "b"}
	w.ends[named(500).String()] = fleet.End{At: time.Now(), Kind: "DiskFull"}
	v := w.views(contract.Consumer, nil)
	asked := map[string]int{}
	var view fleet.View
	for range 3 {
		var err error
		view, err = v.read(t.Context())
		require.NoError(t, err)
		require.LessOrEqual(t, len(w.asked), maxEndsAsked)
		for _, name := range w.asked {
			asked[name]++
		}
	}
	require.Len(t, asked, lagging, "three readings are enough for all")
	require.Equal(t, 1, asked[named(7).String()])
	count := map[fleet.State]int{}
	for _, s := range view.Syncs {
		count[s.State]++
	}
	require.Equal(t, map[fleet.State]int{fleet.InSync: 1, fleet.Failing: 1, fleet.Behind: lagging - 2}, count, "what was told before is not forgotten")
}

// A worker that has read while a cycle was at work tells the same afterwards as one that has not: of a sync that was uploaded
// meanwhile, only the first has seen how its run ended.
func TestWorkersTellAlikeWhateverTheyHaveSeen(t *testing.T) {
	looked := time.Now().Add(-time.Minute)
	uploaded := looked.Add(time.Second)
	moving := fleet.Source{Destination: named(1), State: "b", SeenAt: looked, MovedAt: looked, Object: "a", MadeAt: looked.Add(-time.Hour)}
	w := &told{
		ends:    map[string]fleet.End{named(1).String(): {At: uploaded, Commit: "b"}},
		cycle:   fleet.Cycle{Looked: looked.Add(-time.Hour), Ended: looked.Add(-time.Hour)},
		catalog: activities.SourceStates{Created: looked, Syncs: []fleet.Source{moving}},
	}
	witness := w.views(contract.Producer, nil)
	seen, err := witness.read(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{named(1).String()}, w.asked)
	require.Equal(t, fleet.InSync, seen.Syncs[0].State)

	moved := moving
	moved.Object, moved.MadeAt, moved.SeenAt = "b", uploaded, uploaded.Add(time.Second)
	w.catalog = activities.SourceStates{Created: moved.SeenAt, Syncs: []fleet.Source{moved}}
	w.cycle = fleet.Cycle{Looked: looked, Ended: moved.SeenAt}
	after, err := witness.read(t.Context())
	require.NoError(t, err)
	other, err := w.views(contract.Producer, nil).read(t.Context())
	require.NoError(t, err)
	require.Equal(t, other.Syncs, after.Syncs)
	require.Equal(t, looked, other.Syncs[0].LastInSync)
}

// BenchmarkView puts together how all syncs are, of which ten lag, without the answers of Temporal and the bucket that it takes.
func BenchmarkView(b *testing.B) {
	for _, syncs := range []int{1000, 50_000} {
		b.Run(fmt.Sprintf("syncs=%d", syncs), func(b *testing.B) {
			looked := time.Now().Add(-time.Minute)
			w := &told{cycle: fleet.Cycle{Looked: looked, Catalog: looked}, catalog: activities.SourceStates{Created: looked}}
			for i := range syncs {
				destination := project.Branch{Group: "group/subgroup", Name: fmt.Sprintf("project-%05d", i), Branch: "main"}
				w.catalog.Syncs = append(w.catalog.Syncs, fleet.Source{Destination: destination, State: "b", Object: "b"})
				if i < 10 {
					w.cycle.Lags.List = append(w.cycle.Lags.List, fleet.Lag{Destination: destination.String(), Is: "a", Wanted: "b", Since: looked})
				}
			}
			v := w.views(contract.Consumer, nil)
			for b.Loop() {
				if _, err := v.read(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A worker that has just started takes no catalog that is older than one which a cycle has seen, as no worker does that has seen it.
func TestViewsKnowTheNewestCatalog(t *testing.T) {
	w := &told{cycle: fleet.Cycle{CatalogSequence: 7}}
	v := w.views(contract.Consumer, nil)
	v.readOnce(t.Context())
	require.EqualValues(t, 7, w.seen)
	w.catalog.Seen.Sequence = 9
	v.readOnce(t.Context())
	v.readOnce(t.Context())
	require.EqualValues(t, 9, w.seen)
}
