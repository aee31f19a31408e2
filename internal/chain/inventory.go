package chain

import (
	"container/heap"
	"math/bits"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

const (
	// maxPerSizeClass is how many objects of one destination are kept that are of alike size, that is up to twice as large as each
	// other: the newest. A chain has at most two of them, as geometric growth replaces an object as soon as a
	// later one is more than half as large.
	maxPerSizeClass = 4
	// maxSurplus bounds what is kept of the rest to be deleted.
	maxSurplus = 1000
	// objectOverhead is roughly what an object takes in memory besides its key, in bytes.
	objectOverhead = 400
	// defaultBudget is for all objects that are kept, in bytes.
	defaultBudget = 12 << 20
)

// Inventory takes a listing object by object, and keeps of it what decides about the branches, within a
// budget: a bucket may hold any number of objects that nobody has asked for.
//
// Destinations that do not fit are left out whole. Which ones changes from turn to turn.
type Inventory struct {
	order       turn.Order
	prioritized func(project.Branch) bool
	budget      int

	usedBytes    int
	destinations map[project.Branch]*destinationObjects
	rankHeap     rankMaxHeap
	surplus      []object.Stored
	omitted      int
	cutoffRank   uint64 // the lowest rank that was left out
}

// destinationObjects is what is kept of one of them.
type destinationObjects struct {
	identity    project.Branch
	rank        uint64
	objects     []object.Stored
	size        int // bytes of the budget
	objectCount int // objects
}

// NewInventory is empty. The destinations for which first says so come before all others; it is asked
// with their identities, and nil says it of none.
func NewInventory(t turn.Order, first func(project.Branch) bool) *Inventory {
	return &Inventory{order: t, prioritized: first, budget: defaultBudget, cutoffRank: 1<<64 - 1, destinations: map[project.Branch]*destinationObjects{}}
}

// WithBudget has another budget than the usual one, in bytes.
func (v *Inventory) WithBudget(budget int) *Inventory {
	v.budget = budget
	return v
}

// Add takes the next object of the listing.
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

// rank has the destinations that come first in its lower half.
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
		if bits.Len64(uint64(d.objects[i].Size)) != bits.Len64(uint64(o.Size)) {
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

// Chains are the chains of the destinations that were kept, as Build names them. Nothing can be added
// after that.
func (v *Inventory) Chains() map[project.Branch]Chain {
	chains := make(map[project.Branch]Chain, len(v.destinations))
	spare := map[project.Branch][]object.Stored{}
	for _, o := range v.surplus {
		identity := o.Destination.Identity()
		spare[identity] = append(spare[identity], o)
	}
	for identity, d := range v.destinations {
		c := buildChain(d.objects)
		if !c.Broken() {
			c.Superseded = append(c.Superseded, spare[identity]...)
		}
		chains[c.Newest().Destination] = c
	}
	v.destinations, v.surplus = nil, nil
	return chains
}

// Omitted counts the objects of the destinations that did not fit.
func (v *Inventory) Omitted() int { return v.omitted }

// Covers tells whether the destination would be among the chains if it had any object.
func (v *Inventory) Covers(b project.Branch) bool {
	return v.rank(b.Identity()) < v.cutoffRank
}

// rankMaxHeap is a heap from which the destination of the highest rank is taken first.
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
