package chain

import (
	"container/heap"
	"math/bits"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

const (
	// perClass is how many objects of one destination are kept that are of alike size, that is up to twice as large as each
	// other: the newest. A chain has at most two of them, as geometric growth replaces an object as soon as a
	// later one is more than half as large.
	perClass = 4
	// maxSpare bounds what is kept of the rest to be deleted.
	maxSpare = 1000
	// perObject is roughly what an object takes in memory besides its key, in bytes.
	perObject = 400
	// defaultBudget is for all objects that are kept, in bytes.
	defaultBudget = 12 << 20
)

// Inventory takes a listing object by object, and keeps of it what decides about the branches, within a
// budget: a bucket may hold any number of objects that nobody has asked for.
//
// Destinations that do not fit are left out whole. Which ones changes from turn to turn.
type Inventory struct {
	turn   turn.Turn
	first  func(project.Branch) bool
	budget int

	used         int
	destinations map[project.Branch]*destination
	byRank       lastFirst
	spare        []object.Stored
	leftOut      int
	cutoff       uint64 // the lowest rank that was left out
}

// destination is what is kept of one of them.
type destination struct {
	identity project.Branch
	spelled  project.Branch // as in its first object
	rank     uint64
	objects  []object.Stored
	size     int // bytes of the budget
	seen     int // objects
}

// NewInventory is empty. The destinations for which first says so come before all others; it is asked
// with their identities, and nil says it of none.
func NewInventory(t turn.Turn, first func(project.Branch) bool) *Inventory {
	return &Inventory{turn: t, first: first, budget: defaultBudget, cutoff: 1<<64 - 1, destinations: map[project.Branch]*destination{}}
}

// Within has another budget than the usual one, in bytes.
func (v *Inventory) Within(budget int) *Inventory {
	v.budget = budget
	return v
}

// Add takes the next object of the listing.
func (v *Inventory) Add(o object.Stored) {
	identity := o.Destination.Identity()
	d, known := v.destinations[identity]
	if !known {
		rank := v.rank(identity)
		if rank >= v.cutoff {
			v.leftOut++
			return
		}
		d = &destination{identity: identity, spelled: o.Destination, rank: rank}
		v.destinations[identity] = d
		heap.Push(&v.byRank, d)
	}
	d.seen++
	if o.Destination == d.spelled {
		o.Destination = d.spelled // one copy of the names for all objects
	}
	v.keep(d, o)
	for v.used > v.budget && len(v.byRank) > 1 {
		v.drop(heap.Pop(&v.byRank).(*destination))
	}
}

// rank has the destinations that come first in its lower half.
func (v *Inventory) rank(identity project.Branch) uint64 {
	rank := uint64(v.turn.Position(identity))
	if v.first == nil || !v.first(identity) {
		rank |= 1 << 63
	}
	return rank
}

func (v *Inventory) keep(d *destination, o object.Stored) {
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
	if alike < perClass {
		d.objects = append(d.objects, o)
		v.grow(d, o, 1)
		return
	}
	if newestFirst(o, d.objects[oldest]) < 0 {
		v.grow(d, d.objects[oldest], -1)
		v.grow(d, o, 1)
		o, d.objects[oldest] = d.objects[oldest], o
	}
	if len(v.spare) < maxSpare {
		v.spare = append(v.spare, o)
	}
}

func (v *Inventory) grow(d *destination, o object.Stored, sign int) {
	d.size += sign * (len(o.Key) + perObject)
	v.used += sign * (len(o.Key) + perObject)
}

func (v *Inventory) drop(d *destination) {
	delete(v.destinations, d.identity)
	v.used -= d.size
	v.leftOut += d.seen
	v.cutoff = d.rank
}

// Chains are the chains of the destinations that were kept, as Build names them. Nothing can be added
// after that.
func (v *Inventory) Chains() map[project.Branch]Chain {
	chains := make(map[project.Branch]Chain, len(v.destinations))
	spare := map[project.Branch][]object.Stored{}
	for _, o := range v.spare {
		identity := o.Destination.Identity()
		spare[identity] = append(spare[identity], o)
	}
	for identity, d := range v.destinations {
		c := build(d.objects)
		if !c.Broken() {
			c.Superseded = append(c.Superseded, spare[identity]...)
		}
		chains[c.Newest().Destination] = c
	}
	v.destinations, v.spare = nil, nil
	return chains
}

// LeftOut counts the objects of the destinations that did not fit.
func (v *Inventory) LeftOut() int { return v.leftOut }

// Covers tells whether the destination would be among the chains if it had any object.
func (v *Inventory) Covers(b project.Branch) bool {
	return v.leftOut == 0 || v.rank(b.Identity()) < v.cutoff
}

// lastFirst is a heap from which the destination of the highest rank is taken first.
type lastFirst []*destination

func (h lastFirst) Len() int           { return len(h) }
func (h lastFirst) Less(i, j int) bool { return h[i].rank > h[j].rank }
func (h lastFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *lastFirst) Push(d any)        { *h = append(*h, d.(*destination)) }
func (h *lastFirst) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
