package chain

import (
	"container/heap"
	"math/bits"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

const (
	// maxPerSizeClass is how many objects of similar size (of one power of two) are kept for a destination, the newest
	// first. A chain has at most two of them: geometric growth replaces an object as soon as a later one is more than
	// half as large.
	maxPerSizeClass = 4
	// maxSurplus bounds how many of the other objects are remembered for deletion.
	maxSurplus = 1000
	// objectOverhead is roughly how many bytes of memory an object takes besides its key.
	objectOverhead = 400
	// defaultBudget is the memory for all objects that are kept, in bytes.
	defaultBudget = 12 << 20
)

// Inventory reads a listing object by object and keeps what decides about the branches. Its memory is bounded,
// because a bucket may hold any number of objects that nobody asked for.
//
// Destinations that do not fit are left out as a whole. Which ones they are changes with the order.
type Inventory struct {
	order       turn.Order
	prioritized func(project.Branch) bool
	budget      int
	// forPredecessor is for buckets that the predecessor's consumer reads.
	forPredecessor bool

	usedBytes    int
	destinations map[project.Branch]*destinationObjects
	rankHeap     rankMaxHeap
	surplus      []object.Stored
	omitted      int
	cutoffRank   uint64 // the lowest rank that was left out
}

// destinationObjects is what is kept of one destination.
type destinationObjects struct {
	identity    project.Branch
	rank        uint64
	objects     []object.Stored
	size        int // bytes of the budget
	objectCount int // objects
}

// NewInventory returns an empty inventory. Destinations for which prioritized returns true are kept before all
// others. It is called with their identities; nil prioritizes none.
func NewInventory(t turn.Order, first func(project.Branch) bool) *Inventory {
	return &Inventory{order: t, prioritized: first, budget: defaultBudget, cutoffRank: 1<<64 - 1, destinations: map[project.Branch]*destinationObjects{}}
}

// WithBudget sets the memory for all objects, in bytes.
func (v *Inventory) WithBudget(budget int) *Inventory {
	v.budget = budget
	return v
}

// ForPredecessor makes the chains those of a bucket that the predecessor's consumer reads, if that is so. Then a destination's newest
// object is all that is needed where it is one of the predecessor's, and supersedes all others.
func (v *Inventory) ForPredecessor(so bool) *Inventory {
	v.forPredecessor = so
	return v
}

// Add adds the next object of the listing.
func (v *Inventory) Add(o object.Stored) {
	identity := o.Destination.Identity()
	d, known := v.destinations[identity]
	if !known {
		rank := v.rank(identity)
		if rank >= v.cutoffRank {
			v.omitted++
			return
		}
		d = &destinationObjects{identity: identity, rank: rank}
		v.destinations[identity] = d
		heap.Push(&v.rankHeap, d)
	}
	d.objectCount++
	v.retain(d, o)
	for v.usedBytes > v.budget && len(v.rankHeap) > 1 {
		v.evict(heap.Pop(&v.rankHeap).(*destinationObjects))
	}
}

// rank orders destinations: those with the lowest ranks are kept. Prioritized ones have ranks in the lower half.
func (v *Inventory) rank(identity project.Branch) uint64 {
	rank := uint64(v.order.Position(identity))
	if v.prioritized == nil || !v.prioritized(identity) {
		rank |= 1 << 63
	}
	return rank
}

func (v *Inventory) retain(d *destinationObjects, o object.Stored) {
	oldest, alike := -1, 0
	for i := range d.objects {
		if !sameSizeClass(d.objects[i], o) {
			continue
		}
		alike++
		if oldest < 0 || newestFirst(d.objects[i], d.objects[oldest]) > 0 {
			oldest = i
		}
	}
	if alike < maxPerSizeClass {
		d.objects = append(d.objects, o)
		v.adjustSize(d, o, 1)
		return
	}
	if newestFirst(o, d.objects[oldest]) < 0 {
		v.adjustSize(d, d.objects[oldest], -1)
		v.adjustSize(d, o, 1)
		o, d.objects[oldest] = d.objects[oldest], o
	}
	if len(v.surplus) < maxSurplus {
		v.surplus = append(v.surplus, o)
	}
}

// sameSizeClass tells whether two objects compete for the places of one size class. The predecessor's objects never
// displace ours.
func sameSizeClass(a, b object.Stored) bool {
	return a.ByPredecessor() == b.ByPredecessor() && bits.Len64(uint64(a.Size)) == bits.Len64(uint64(b.Size))
}

func (v *Inventory) adjustSize(d *destinationObjects, o object.Stored, sign int) {
	d.size += sign * (len(o.Key) + objectOverhead)
	v.usedBytes += sign * (len(o.Key) + objectOverhead)
}

func (v *Inventory) evict(d *destinationObjects) {
	delete(v.destinations, d.identity)
	v.usedBytes -= d.size
	v.omitted += d.objectCount
	v.cutoffRank = d.rank
}

// Chains returns the chains of the destinations that were kept, under the names that Build uses. Nothing can be added
// afterwards.
func (v *Inventory) Chains() map[project.Branch]Chain {
	chains := make(map[project.Branch]Chain, len(v.destinations))
	spare := map[project.Branch][]object.Stored{}
	for _, o := range v.surplus {
		identity := o.Destination.Identity()
		spare[identity] = append(spare[identity], o)
	}
	for identity, d := range v.destinations {
		c := buildChain(d.objects)
		if c.ByPredecessor() && v.forPredecessor {
			c = c.supersededByPredecessor(append(d.objects, spare[identity]...))
		} else {
			c.add(spare[identity])
		}
		chains[c.Newest().Destination] = c
	}
	v.destinations, v.surplus = nil, nil
	return chains
}

// add takes in the objects that the size classes had no place for.
func (c *Chain) add(surplus []object.Stored) {
	for _, o := range surplus {
		switch {
		case c.ByPredecessor() && o.ByPredecessor():
			c.Predecessors = append(c.Predecessors, o)
		case !c.ByPredecessor() && !c.Broken():
			c.Superseded = append(c.Superseded, o)
		}
	}
}

// Omitted counts the objects of the destinations that did not fit.
func (v *Inventory) Omitted() int { return v.omitted }

// Covers tells whether the destination would be among the chains if the bucket had an object of it.
func (v *Inventory) Covers(b project.Branch) bool {
	return v.rank(b.Identity()) < v.cutoffRank
}

// rankMaxHeap is a heap with the highest rank on top.
type rankMaxHeap []*destinationObjects

func (h rankMaxHeap) Len() int           { return len(h) }
func (h rankMaxHeap) Less(i, j int) bool { return h[i].rank > h[j].rank }
func (h rankMaxHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *rankMaxHeap) Push(d any)        { *h = append(*h, d.(*destinationObjects)) }
func (h *rankMaxHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
