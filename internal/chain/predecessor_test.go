package chain

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/app-sre/git-partition-sync/internal/object"
)

// predecessors is an object of the predecessor. Its name is "old-commit".
func predecessors(commit string, at int) object.Stored {
	o := stored("", commit, 1, at)
	o.Key, o.SourceBranch = "old-"+commit, "trunk"
	return o
}

func TestPredecessorsObjectsAreInNoChain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		objects                         []object.Stored
		chain, predecessors, superseded []string
		tip                             string
	}{
		"alone":                        {[]object.Stored{predecessors("a", 0), predecessors("b", 1)}, nil, []string{"old-b", "old-a"}, nil, "b"},
		"replaced":                     {[]object.Stored{predecessors("a", 0), stored("", "b", 1, 1)}, []string{"-b"}, nil, []string{"old-a"}, "b"},
		"replaced, of the same commit": {[]object.Stored{predecessors("a", 0), stored("", "a", 1, 1)}, []string{"-a"}, nil, []string{"old-a"}, "a"},
		"in the same second":           {[]object.Stored{predecessors("a", 0), stored("", "b", 1, 0)}, []string{"-b"}, nil, []string{"old-a"}, "b"},
		"newer than ours":              {[]object.Stored{stored("", "a", 1, 0), stored("a", "b", 1, 1), predecessors("c", 2)}, []string{"-a", "a-b"}, []string{"old-c"}, nil, "c"},
		"keeps what ours supersede":    {[]object.Stored{stored("", "a", 1, 0), stored("", "b", 1, 1), predecessors("c", 2)}, []string{"-b"}, []string{"old-c"}, nil, "c"},
		"carries no base":              {[]object.Stored{predecessors("a", 0), stored("a", "b", 1, 1)}, []string{"a-b"}, nil, nil, "b"},
		"between ours":                 {[]object.Stored{stored("", "a", 1, 0), predecessors("x", 1), stored("a", "b", 1, 2)}, []string{"-a", "a-b"}, nil, []string{"old-x"}, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backwards := slices.Clone(tt.objects)
			slices.Reverse(backwards)
			for _, listed := range [][]object.Stored{tt.objects, backwards} {
				c := Build(listed)[router]
				require.Equal(t, tt.chain, nameOf(c.Objects))
				require.Equal(t, tt.predecessors, nameOf(c.Predecessors))
				require.Equal(t, tt.superseded, nameOf(c.Superseded))
				require.Equal(t, tt.tip, c.Tip())
				require.Equal(t, c.Newest(), c.Restoring()[len(c.Restoring())-1])
				require.Equal(t, tt.predecessors != nil, c.ByPredecessor())
				require.Len(t, c.All(), len(c.Objects)+len(c.Predecessors)+len(c.Superseded))
			}
		})
	}
}

// Whatever is built on, it is none of the predecessor's.
func TestNothingExtendsThePredecessors(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := &history{t: t, keepAll: true}
		for _, w := range rapid.SliceOfN(rapid.Int64Range(1, 1000), 1, 20).Draw(t, "weights") {
			h.update(w)
		}
		objects := slices.Clone(h.bucket)
		for _, at := range rapid.SliceOfN(rapid.IntRange(0, 30), 1, 10).Draw(t, "times") {
			objects = append(objects, predecessors(commitName(at), at))
		}
		c := Build(rapid.Permutation(objects).Draw(t, "listed"))[router]
		kept, reason := c.ReusablePrefix()
		if c.ByPredecessor() {
			require.Empty(t, kept)
			require.Equal(t, "the bucket's newest object is the predecessor's", reason)
			require.Empty(t, c.Superseded)
		}
		for _, o := range append(c.Objects, kept...) {
			require.False(t, o.ByPredecessor())
		}
	})
}

// Thousands of the predecessor's objects, all of them newer, displace nothing of ours, and all go once a newer one of ours is there.
func TestInventoryKeepsOursAmongPredecessors(t *testing.T) {
	t.Parallel()
	ours := []object.Stored{stored("", "a", 1, 0), stored("a", "b", 1, 1)}
	many := slices.Clone(ours)
	for i := range 10_000 {
		many = append(many, predecessors(commitName(i), 2+i))
	}
	c := take(NewInventory(0, nil), many)[router]
	require.Equal(t, nameOf(ours), nameOf(c.Objects))
	require.Equal(t, commitName(9_999), c.Tip())
	require.Empty(t, c.Superseded)
	require.Len(t, c.Predecessors, maxPerSizeClass+maxSurplus)

	c = take(NewInventory(0, nil), append(many, stored("", "d", 1, 20_000)))[router]
	require.Equal(t, []string{"-d"}, nameOf(c.Objects))
	require.Empty(t, c.Predecessors)
	require.Len(t, c.Superseded, len(ours)+maxPerSizeClass+maxSurplus)
}

// Until one of ours replaces the predecessor's, ours are neither taken for its objects nor superseded.
func TestInventoryTellsOursFromPredecessors(t *testing.T) {
	t.Parallel()
	objects := []object.Stored{predecessors("p", 100)}
	for i := range 2 * maxPerSizeClass {
		objects = append(objects, stored("", commitName(i), 1, i))
	}
	c := take(NewInventory(0, nil), objects)[router]
	require.Equal(t, []string{"old-p"}, nameOf(c.Predecessors))
	require.Empty(t, c.Superseded)
}

// In a bucket that the predecessor's consumer reads, its newest object supersedes all others, be they ours, broken or too many to
// be kept. While ours is the newest, nothing is different.
func TestChainsForThePredecessor(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		objects            []object.Stored
		needed, superseded []string
	}{
		"alone":           {[]object.Stored{predecessors("a", 0)}, []string{"old-a"}, nil},
		"older ones":      {[]object.Stored{predecessors("a", 0), predecessors("b", 1)}, []string{"old-b"}, []string{"old-a"}},
		"a chain of ours": {[]object.Stored{stored("", "a", 1, 0), stored("a", "b", 1, 1), predecessors("c", 2)}, []string{"old-c"}, []string{"-a", "a-b"}},
		"a broken one":    {[]object.Stored{stored("x", "a", 1, 0), stored("y", "b", 1, 1), predecessors("c", 2)}, []string{"old-c"}, []string{"x-a", "y-b"}},
		"ours is newer":   {[]object.Stored{predecessors("a", 0), stored("", "b", 1, 1)}, []string{"-b"}, []string{"old-a"}},
		"ours is broken":  {[]object.Stored{predecessors("a", 0), stored("x", "b", 1, 1)}, []string{"x-b"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := take(NewInventory(0, nil).ForPredecessor(true), tt.objects)[router]
			require.Equal(t, tt.needed, nameOf(c.Restoring()))
			require.ElementsMatch(t, tt.superseded, nameOf(c.Superseded))
			require.Len(t, c.All(), len(tt.needed)+len(tt.superseded))
		})
	}
	var many []object.Stored
	for i := range 3 * maxPerSizeClass {
		many = append(many, predecessors(commitName(i), i), stored("", commitName(i), 1, i))
	}
	newest := predecessors("newest", 100)
	c := take(NewInventory(0, nil).ForPredecessor(true), append(many, newest))[router]
	require.Equal(t, Chain{Predecessors: []object.Stored{newest}, Superseded: c.Superseded}, c)
	require.ElementsMatch(t, nameOf(many), nameOf(c.Superseded))
	require.Empty(t, take(NewInventory(0, nil).ForPredecessor(false), append(many, newest))[router].Superseded)
}
