package chain

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

var router = project.Branch{Group: "platform", Name: "router", Branch: "main"}

// object is commit based on base, uploaded at second at. Its name is "base-commit".
func stored(base, commit string, size int64, at int) object.Stored {
	return object.Stored{
		ID:       object.ID{Destination: router, Commit: commit, Base: base},
		Key:      base + "-" + commit,
		Size:     size,
		Modified: time.Unix(int64(at), 0),
	}
}

func nameOf(objects []object.Stored) []string {
	var names []string
	for _, o := range objects {
		names = append(names, o.Key)
	}
	return names
}

func TestBuild(t *testing.T) {
	tests := map[string]struct {
		objects    []object.Stored
		chain      []string
		superseded []string
		missing    string
	}{
		"snapshot": {
			objects: []object.Stored{stored("", "a", 1, 0)},
			chain:   []string{"-a"},
		},
		"newer snapshot": {
			objects:    []object.Stored{stored("", "b", 1, 1), stored("", "a", 1, 0)},
			chain:      []string{"-b"},
			superseded: []string{"-a"},
		},
		"increments": {
			objects: []object.Stored{stored("b", "c", 1, 2), stored("", "a", 1, 0), stored("a", "b", 1, 1)},
			chain:   []string{"-a", "a-b", "b-c"},
		},
		"increment that replaces two": {
			objects:    []object.Stored{stored("", "a", 9, 0), stored("a", "b", 1, 1), stored("b", "c", 1, 2), stored("a", "d", 3, 3)},
			chain:      []string{"-a", "a-d"},
			superseded: []string{"b-c", "a-b"},
		},
		"same second, linked": {
			objects: []object.Stored{stored("", "b", 1, 0), stored("b", "a", 1, 0)},
			chain:   []string{"-b", "b-a"},
		},
		"missing base": {
			objects: []object.Stored{stored("", "a", 1, 0), stored("b", "c", 1, 2)},
			chain:   []string{"b-c"},
			missing: "b",
		},
		"missing base further down": {
			objects: []object.Stored{stored("x", "b", 1, 1), stored("b", "c", 1, 2)},
			chain:   []string{"x-b", "b-c"},
			missing: "x",
		},
		"fork: the way over fewer objects": {
			objects:    []object.Stored{stored("", "a", 1, 0), stored("a", "b", 1, 1), stored("b", "c", 1, 2), stored("a", "c", 1, 3), stored("c", "d", 1, 4)},
			chain:      []string{"-a", "a-c", "c-d"},
			superseded: []string{"b-c", "a-b"},
		},
		"fork: a snapshot, and an increment whose base is gone": {
			objects:    []object.Stored{stored("b", "c", 1, 1), stored("", "c", 1, 2), stored("c", "d", 1, 3)},
			chain:      []string{"-c", "c-d"},
			superseded: []string{"b-c"},
		},
		"the branch went back": {
			objects:    []object.Stored{stored("", "a", 1, 0), stored("a", "b", 1, 1), stored("b", "a", 1, 2)},
			chain:      []string{"-a", "a-b", "b-a"},
			superseded: nil,
		},
		"the branch went back to its base": {
			objects:    []object.Stored{stored("", "a", 1, 0), stored("a", "b", 1, 1), stored("a", "a", 1, 2)},
			chain:      []string{"-a", "a-a"},
			superseded: []string{"a-b"},
		},
		"circle without a snapshot": {
			objects: []object.Stored{stored("a", "b", 1, 0), stored("b", "a", 1, 1)},
			chain:   []string{"a-b", "b-a"},
			missing: "a",
		},
		"own base without a snapshot": {
			objects: []object.Stored{stored("a", "a", 1, 0)},
			chain:   []string{"a-a"},
			missing: "a",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			chains := Build(test.objects)
			require.Len(t, chains, 1)
			c := chains[router]
			require.Equal(t, test.chain, nameOf(c.Objects))
			require.Equal(t, test.superseded, nameOf(c.Superseded))
			require.Equal(t, test.missing, c.MissingBase)
			require.Equal(t, test.missing != "", c.Broken())
			require.Equal(t, c.Newest().Commit, c.Tip())
		})
	}
}

// S3 counts in seconds. Both sides have to take the same one of several objects of the newest second for the newest:
// docs/format.md says which. The listing's order decides nothing.
func TestObjectsOfTheNewestSecond(t *testing.T) {
	t.Parallel()
	named := func(key, base, commit string, at int) object.Stored {
		o := stored(base, commit, 1, at)
		o.Key = key
		return o
	}
	before := []object.Stored{named("1", "", "a", 0), named("2", "a", "b", 1)}
	tests := map[string]struct {
		tied   []object.Stored
		newest string // its key
	}{
		"the one that no other builds on":          {[]object.Stored{named("y", "b", "c", 5), named("x", "c", "d", 5)}, "x"},
		"a snapshot that replaces an increment":    {[]object.Stored{named("x", "b", "c", 5), named("y", "", "d", 5)}, "y"},
		"a snapshot of the same commit":            {[]object.Stored{named("x", "b", "c", 5), named("y", "", "c", 5)}, "y"},
		"an increment that replaces another one":   {[]object.Stored{named("x", "b", "c", 5), named("y", "a", "d", 5)}, "y"},
		"the first key of those on one base":       {[]object.Stored{named("y", "b", "c", 5), named("x", "b", "d", 5)}, "x"},
		"the first key of snapshots":               {[]object.Stored{named("y", "", "c", 5), named("x", "", "d", 5)}, "x"},
		"on its own commit: the branch came back":  {[]object.Stored{named("y", "a", "a", 5), named("x", "b", "c", 5)}, "y"},
		"an increment on a snapshot of the second": {[]object.Stored{named("x", "", "c", 5), named("y", "c", "d", 5)}, "y"},
		"each is built upon: the snapshot":         {[]object.Stored{named("x", "d", "c", 5), named("y", "c", "d", 5), named("z", "", "c", 5)}, "z"},
		"built upon in a later second is no tie":   {[]object.Stored{named("x", "b", "c", 5), named("y", "c", "b", 6)}, "y"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 {
				c := Build(slices.Concat(before, test.tied))[router]
				require.Equal(t, test.newest, c.Newest().Key)
				require.False(t, c.Broken())
				require.Equal(t, c, take(NewInventory(0, nil), slices.Concat(before, test.tied))[router])
				slices.Reverse(test.tied)
			}
		})
	}
}

func TestBuildSeparatesDestinations(t *testing.T) {
	release := stored("", "b", 1, 1)
	release.Destination.Branch = "release"
	chains := Build([]object.Stored{stored("", "a", 1, 0), release})
	require.Len(t, chains, 2)
	require.Equal(t, "a", chains[router].Tip())
	require.Equal(t, "b", chains[release.Destination].Tip())
}

func TestKeep(t *testing.T) {
	tests := map[string]struct {
		sizes []int64 // of a snapshot "0" and the increments on it, oldest first
		base  string  // what the next upload builds on
	}{
		"snapshot only":              {[]int64{100}, "0"},
		"small increment":            {[]int64{100, 10}, "1"},
		"geometric":                  {[]int64{100, 40, 10}, "2"},
		"last two alike":             {[]int64{100, 10, 10}, "0"},
		"last two of three alike":    {[]int64{100, 30, 6, 6}, "1"},
		"the middle is too small":    {[]int64{1000, 5, 100, 10}, "0"},
		"increments outgrew half":    {[]int64{100, 40, 15}, ""},
		"first increment is as big":  {[]int64{100, 51}, ""},
		"first increment is half":    {[]int64{100, 50}, "1"},
		"bigger than their snapshot": {[]int64{100, 1000, 10}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var objects []object.Stored
			previous := ""
			for i, size := range test.sizes {
				commit := string(rune('0' + i))
				objects = append(objects, stored(previous, commit, size, i))
				previous = commit
			}
			kept, reason := Build(objects)[router].ReusablePrefix()
			base := ""
			if len(kept) > 0 {
				base = kept[len(kept)-1].Commit
			}
			require.Equal(t, test.base, base)
			require.Equal(t, base == "", reason != "", "a snapshot has a reason")
		})
	}
}

func TestKeepOfBrokenChain(t *testing.T) {
	kept, reason := Build([]object.Stored{stored("x", "a", 1, 0)})[router].ReusablePrefix()
	require.Empty(t, kept)
	require.Equal(t, "the bucket's chain is broken", reason)
}
