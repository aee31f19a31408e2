package catalog

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
)

func TestSyncByIdentity(t *testing.T) {
	t.Parallel()
	c := Catalog{Syncs: []Sync{
		{Destination: project.Branch{Group: "A", Name: "one", Branch: "main"}, State: commitA},
		{Destination: project.Branch{Group: "a", Name: "one", Branch: "main2"}},
		{Destination: project.Branch{Group: "b", Name: "One", Branch: "main"}, State: commitB},
	}}
	for _, test := range []struct {
		destination project.Branch
		state       string
		found       bool
	}{
		{project.Branch{Group: "a", Name: "ONE", Branch: "main"}, commitA, true},
		{project.Branch{Group: "B", Name: "one", Branch: "main"}, commitB, true},
		{project.Branch{Group: "a", Name: "one", Branch: "Main"}, "", false},
		{project.Branch{Group: "c", Name: "one", Branch: "main"}, "", false},
	} {
		got, found := c.Sync(test.destination)
		require.Equal(t, test.found, found, test.destination)
		require.Equal(t, test.state, got.State, test.destination)
	}
	_, found := (&Catalog{}).Sync(c.Syncs[0].Destination)
	require.False(t, found)
}

func TestNext(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		previous Catalog
		now      time.Time
		sequence int64
		at       time.Time
	}{
		"the first":                 {Catalog{}, noon, noon.UnixMilli(), noon},
		"in another zone":           {Catalog{}, noon.In(time.FixedZone("", 7200)), noon.UnixMilli(), noon},
		"later":                     {Catalog{Sequence: 7, CreatedAt: noon.Add(-time.Minute)}, noon, noon.UnixMilli(), noon},
		"in the same millisecond":   {Catalog{Sequence: noon.UnixMilli(), CreatedAt: noon}, noon, noon.UnixMilli() + 1, noon},
		"after the clock went back": {Catalog{Sequence: noon.UnixMilli(), CreatedAt: noon}, noon.Add(-23 * time.Hour), noon.UnixMilli() + 1, noon},
		"after a clock far ahead":   {Catalog{Sequence: noon.UnixMilli(), CreatedAt: noon}, noon.Add(-48 * time.Hour), noon.UnixMilli() + 1, noon.Add(-48 * time.Hour)},
		"the sequence is far ahead": {Catalog{Sequence: 1 << 50, CreatedAt: noon}, noon.Add(time.Hour), 1<<50 + 1, noon.Add(time.Hour)},
	} {
		sequence, at := Next(test.previous, test.now)
		require.Equal(t, test.sequence, sequence, name)
		require.Equal(t, test.at, at, name)
	}
}
