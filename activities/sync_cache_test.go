package activities

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// listed stands in for the GraphQL server.
type listed struct {
	syncs []project.Sync
	err   error
	asked atomic.Int64
}

func (l *listed) Syncs(context.Context) ([]project.Sync, error) {
	l.asked.Add(1)
	return l.syncs, l.err
}

// Whoever may start workflows gets nothing signed that nobody has configured.
func TestCloneTakesOnlyConfiguredSyncs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("one")
	list := r.producer.Syncs.(*listed)
	otherSource, otherDestination := r.sync, r.sync
	otherSource.Source.Branch = "secret"
	otherDestination.Destination.Name = "elsewhere"
	for _, s := range []project.Sync{otherSource, otherDestination, {}} {
		require.Contains(t, fails(r, "NotConfigured", r.clone, plan.Upload{Sync: s}), s.String())
	}
	asked := list.asked.Load()
	must(r, r.clone, plan.Upload{Sync: r.sync})
	must(r, r.clone, plan.Upload{Sync: r.sync})
	require.Equal(t, asked, list.asked.Load(), "one list serves many branches")

	second := otherDestination
	list.syncs = append(list.syncs, second)
	must(r, r.clone, plan.Upload{Sync: second})
	require.Equal(t, asked+1, list.asked.Load(), "a list that lacks a sync is read anew")

	second.Source.Branch = "other"
	list.syncs = append(list.syncs, second)
	fails(r, "NotConfigured", r.clone, plan.Upload{Sync: second}) // two have one destination
}

// An increment builds on what the bucket restores of its own destination, whatever an input says.
func TestCloneBuildsOnlyOnTheChain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.commit(random(20_000))
	key := r.produce()[0].Key
	second := r.commit("two")
	elsewhere, err := object.ID{Destination: project.Branch{Group: "mirror", Name: "other", Branch: "main"}, Commit: first}.Key()
	require.NoError(t, err)
	r.put(elsewhere, []byte("x"))
	increment, err := object.ID{Destination: r.sync.Destination, Commit: first, Base: second}.Key()
	require.NoError(t, err)
	r.put(increment, []byte("x"))

	tests := map[string]struct {
		base     string
		carriers []string
		want     string
	}{
		"the chain":                   {first, []string{key}, first},
		"no carriers":                 {first, nil, ""},
		"carriers of another base":    {second, []string{key}, ""},
		"another destination's":       {first, []string{elsewhere}, ""},
		"an increment on nothing":     {first, []string{increment}, ""},
		"no keys":                     {first, []string{"junk"}, ""},
		"carriers without their base": {"", []string{key}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			base, why, err := r.producer.restorableBase(t.Context(), plan.Upload{Sync: r.sync, Base: test.base, BaseKeys: test.carriers}, bucket.ObjectInfo{})
			require.NoError(t, err)
			require.Equal(t, test.want, base)
			require.Empty(t, why)
		})
	}
}
