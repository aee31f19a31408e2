package chain

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

func take(v *Inventory, objects []object.Stored) map[project.Branch]Chain {
	for _, o := range objects {
		v.Add(o)
	}
	return v.Chains()
}

// A bucket from which nothing was ever deleted gives the same chain, whatever order it is listed in.
func TestInventoryKeepsWhatChainsNeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &history{t: t, keepAll: true}
		for _, w := range rapid.SliceOfN(rapid.Int64Range(1, 1_000_000), 1, 200).Draw(t, "weights") {
			h.update(w)
		}
		listed := rapid.Permutation(h.bucket).Draw(t, "listed")
		want := Build(slices.Clone(h.bucket))[router]
		got := take(NewInventory(0, nil), listed)[router]
		require.Equal(t, want.Objects, got.Objects)
		require.ElementsMatch(t, nameOf(want.Superseded), nameOf(got.Superseded))
	})
}

// Whoever may write to the bucket can put any number of objects there for one destination.
func TestInventoryBoundsOneDestination(t *testing.T) {
	t.Parallel()
	v := NewInventory(0, nil)
	const sizes = 60
	for i := range 100_000 {
		v.Add(stored("", commitName(i), int64(1)<<(i%sizes), 7))
	}
	c := v.Chains()[router]
	require.Equal(t, sizes*maxPerSizeClass+maxSurplus, len(c.Objects)+len(c.Superseded))
	require.Zero(t, v.Omitted())
}

// A person may still need any object of a chain that cannot be restored.
func TestInventoryHasNothingDeletedOfABrokenChain(t *testing.T) {
	t.Parallel()
	v := NewInventory(0, nil)
	for i := range 2 * maxPerSizeClass {
		v.Add(stored(commitName(i), commitName(i+1), 1, i))
	}
	c := v.Chains()[router]
	require.True(t, c.Broken())
	require.Empty(t, c.Superseded)
}

// What a listing takes in memory has a limit, far beyond what usual buckets hold.
func TestInventoryHasABudget(t *testing.T) {
	t.Parallel()
	for destinations, omits := range map[int]bool{10_000: false, 50_000: true} {
		v := NewInventory(0, nil)
		for i := range destinations {
			o := stored("", "a", 1, 0)
			o.Destination = otherDestination(i)
			v.Add(o)
		}
		require.Equal(t, omits, v.Omitted() > 0, "%d destinations", destinations)
	}
}

// Of objects of alike size the newest are kept: those of a chain are not put aside for the many that came before them.
func TestInventoryKeepsTheNewest(t *testing.T) {
	t.Parallel()
	var objects []object.Stored
	for i := range 6 * maxPerSizeClass { // as of a producer that has never deleted anything
		objects = append(objects, stored(commitName(i), commitName(i+1), 100, i))
	}
	chain := []object.Stored{stored("", "a", 1000, 100), stored("a", "b", 100, 101), stored("b", "c", 100, 102), stored("c", "d", 100, 103), stored("d", "e", 100, 104)}
	require.Len(t, chain[1:], maxPerSizeClass)
	objects = append(objects, chain...)
	for i := range uint64(50) {
		rand.New(rand.NewPCG(1, i)).Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
		c := take(NewInventory(0, nil), objects)[router]
		require.Equal(t, nameOf(chain), nameOf(c.Objects))
		require.Len(t, c.Superseded, 6*maxPerSizeClass)
	}
}

// What is put aside takes no room of the budget: nobody displaces another destination by uploading often.
func TestInventoryBudgetIsForWhatIsKept(t *testing.T) {
	t.Parallel()
	var objects []object.Stored
	room := 0
	for i := range 100 {
		for _, name := range []int{1, 2} {
			o := stored("", commitName(i), 1, i)
			o.Destination = otherDestination(name)
			objects = append(objects, o)
			if i >= 100-maxPerSizeClass {
				room += objectOverhead + len(o.Key)
			}
		}
	}
	v := NewInventory(0, nil).WithBudget(room)
	require.Len(t, take(v, objects), 2)
	require.Zero(t, v.Omitted())
	v = NewInventory(0, nil).WithBudget(room - 1)
	require.Len(t, take(v, objects), 1)
	require.Equal(t, 100, v.Omitted())
}

// A destination is looked at even if it alone is more than the budget: its turn would not come otherwise.
func TestInventoryKeepsOne(t *testing.T) {
	t.Parallel()
	v := NewInventory(0, nil).WithBudget(1)
	require.Len(t, take(v, []object.Stored{stored("", "a", 1, 0), stored("a", "b", 1, 1)}), 1)
	require.Zero(t, v.Omitted())
}

// Twenty thousand objects of one second took 21 seconds to put in order.
func TestObjectsOfOneSecond(t *testing.T) {
	t.Parallel()
	var objects []object.Stored
	for i := range 200_000 {
		objects = append(objects, stored(commitName(i), commitName(i+1), 1, 7))
	}
	require.Equal(t, "c200000", buildChain(objects).Newest().Commit, "the one that no other builds on")
}

func otherDestination(i int) project.Branch {
	return project.Branch{Group: "g", Name: fmt.Sprintf("p%d", i), Branch: "main"}
}

// Those that are asked for come first; of the others, each has its turn.
func TestInventoryTakesTurns(t *testing.T) {
	t.Parallel()
	const others, perTurn = 400, 20
	wanted := map[project.Branch]bool{}
	var objects []object.Stored
	for i := range others + 5 {
		for _, commit := range []string{"a", "b"} {
			o := stored("", commit, 1, 0)
			o.Destination = otherDestination(i)
			objects = append(objects, o)
		}
		wanted[otherDestination(i)] = i >= others
	}
	first := func(b project.Branch) bool { return wanted[b] }
	seen := map[project.Branch]int{}
	for n := range turn.Order(300) {
		v := NewInventory(n, first)
		v.budget = 2 * (perTurn + 5) * (objectOverhead + len("-a"))
		rand.New(rand.NewPCG(1, uint64(n))).Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
		chains := take(v, objects)
		require.Len(t, chains, perTurn+5)
		require.Equal(t, 2*(others-perTurn), v.Omitted())
		for b := range wanted {
			c, ok := chains[b]
			require.Equal(t, v.Covers(b), ok)
			if ok {
				seen[b]++
				require.Len(t, append(c.Objects, c.Superseded...), 2, "a destination is left out whole or not at all")
			}
		}
	}
	for b, isWanted := range wanted {
		if isWanted {
			require.Equal(t, 300, seen[b])
		} else {
			require.Positive(t, seen[b], b)
		}
	}
}

func TestInventoryCoversWhatItHasNotSeen(t *testing.T) {
	t.Parallel()
	v := NewInventory(0, nil)
	require.Empty(t, v.Chains())
	require.True(t, v.Covers(router), "nothing was left out: there is no object of it")
}

// Both ways to the chains tell the same destinations apart.
func TestInventoryTakesSpellingsForOneDestination(t *testing.T) {
	t.Parallel()
	spelled := stored("b", "c", 1, 2)
	spelled.Destination.Group = "Platform"
	for _, base := range []string{"", "b"} {
		spelled.Base = base
		objects := []object.Stored{stored("", "a", 9, 0), stored("a", "b", 1, 1), spelled}
		want := Build(slices.Clone(objects))
		require.Equal(t, want, take(NewInventory(0, func(b project.Branch) bool { return b == router.Identity() }), objects))
		require.Len(t, want, 1)
	}
}
