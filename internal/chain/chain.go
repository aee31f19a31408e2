// Package chain tells from a bucket listing which objects restore each destination branch, and what the next upload
// should build on. It is pure. The names, sizes and times of the objects are the only state.
//
// A snapshot restores a branch by itself. An increment needs the commit that it is based on, which an older object
// carries, and so on back to a snapshot. The objects from that snapshot to the newest object are the branch's chain.
//
// Objects of the predecessor restore a branch, too, but nothing can build on them: they are in no chain.
package chain

import (
	"cmp"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// Chain is what the bucket holds for one destination branch.
type Chain struct {
	// Objects restore the branch when they are applied in this order: a snapshot first, the newest object last. There
	// are none where the bucket has only objects of the predecessor.
	Objects []object.Stored
	// Superseded are the objects that Objects does not need. They may be deleted.
	Superseded []object.Stored
	// MissingBase is the base that no object carries, if the newest object does not lead back to a snapshot. Objects
	// then starts with the increment on it.
	MissingBase string
	// Predecessors are the predecessor's objects while one of them was uploaded after all of Objects, the newest
	// first. Nothing is superseded then, unless the bucket is for the predecessor's consumer (Inventory.ForPredecessor).
	// When one of Objects is newer, they are.
	Predecessors []object.Stored
}

// ByPredecessor tells whether the predecessor has uploaded the newest object.
func (c Chain) ByPredecessor() bool { return len(c.Predecessors) > 0 }

// Newest is the object that was uploaded last, whoever has made it. It decides the branch's tip.
func (c Chain) Newest() object.Stored {
	if c.ByPredecessor() {
		return c.Predecessors[0]
	}
	return c.Objects[len(c.Objects)-1]
}

// Tip is the commit that the newest object restores.
func (c Chain) Tip() string { return c.Newest().Commit }

// Restoring are the objects that restore the tip, in the order in which they are applied.
func (c Chain) Restoring() []object.Stored {
	if c.ByPredecessor() {
		return c.Predecessors[:1]
	}
	return c.Objects
}

// All are the chain's objects, and those that are not needed by it.
func (c Chain) All() []object.Stored { return slices.Concat(c.Objects, c.Predecessors, c.Superseded) }

// Broken tells whether the chain cannot restore the branch by itself.
func (c Chain) Broken() bool { return c.MissingBase != "" }

// Build returns the chain of each destination branch, under the spelling that its newest object has. Every chain has
// at least one object. It is for listings that are known to be short; see Inventory for others.
func Build(objects []object.Stored) map[project.Branch]Chain {
	byBranch := map[project.Branch][]object.Stored{}
	for _, o := range objects {
		branch := o.Destination.Identity()
		byBranch[branch] = append(byBranch[branch], o)
	}
	chains := make(map[project.Branch]Chain, len(byBranch))
	for _, own := range byBranch {
		c := buildChain(own)
		chains[c.Newest().Destination] = c
	}
	return chains
}

// buildChain builds one destination's chain from at least one object.
func buildChain(objects []object.Stored) Chain {
	var ours, predecessors []object.Stored
	for _, o := range objects {
		if o.ByPredecessor() {
			predecessors = append(predecessors, o)
		} else {
			ours = append(ours, o)
		}
	}
	slices.SortFunc(predecessors, newestFirst)
	c := buildOwnChain(ours)
	switch {
	case len(predecessors) == 0:
	case len(ours) == 0 || predecessors[0].Modified.After(c.Newest().Modified):
		c.Predecessors, c.Superseded = predecessors, nil
	case !c.Broken():
		c.Superseded = append(c.Superseded, predecessors...)
	}
	return c
}

// supersededByPredecessor is a chain of the newest object alone, which is one of the predecessor's.
func (c Chain) supersededByPredecessor(all []object.Stored) Chain {
	newest := c.Newest()
	return Chain{
		Predecessors: []object.Stored{newest},
		Superseded:   slices.DeleteFunc(slices.Clone(all), func(o object.Stored) bool { return o.Key == newest.Key }),
	}
}

// buildOwnChain is the chain of objects of ours; the zero chain where there are none.
func buildOwnChain(objects []object.Stored) Chain {
	if len(objects) == 0 {
		return Chain{}
	}
	sortNewestFirst(objects)
	path, missing := traceToSnapshot(filterSpelling(objects))
	needed := map[string]bool{}
	for _, o := range path {
		needed[o.Key] = true
	}
	c := Chain{Objects: path, MissingBase: missing}
	if c.Broken() {
		return c // a person may still need some of it: keep all
	}
	for _, o := range objects {
		if !needed[o.Key] {
			c.Superseded = append(c.Superseded, o)
		}
	}
	return c
}

// filterSpelling removes the objects whose destination is spelled in another way than the newest object's. The signed
// manifest makes an object valid for one spelling only, and two chains would move the branch back and forth.
func filterSpelling(newestFirst []object.Stored) []object.Stored {
	return slices.DeleteFunc(slices.Clone(newestFirst), func(o object.Stored) bool { return o.Destination != newestFirst[0].Destination })
}

// sortNewestFirst sorts by time. S3 counts in whole seconds. Among several objects of the newest second, the first is
// one that no other builds on, and a snapshot rather than an increment, because a snapshot is made to replace
// increments.
func sortNewestFirst(objects []object.Stored) {
	slices.SortFunc(objects, newestFirst)
	tied := len(objects)
	isBase := map[string]bool{} // of another object of that second
	for i, o := range objects {
		if !o.Modified.Equal(objects[0].Modified) {
			tied = i
			break
		}
		if o.Base != o.Commit {
			isBase[o.Base] = true
		}
	}
	for i, o := range objects[:tied] {
		if !isBase[o.Commit] {
			objects[0], objects[i] = objects[i], objects[0]
			return
		}
	}
}

func newestFirst(a, b object.Stored) int {
	return cmp.Or(b.Modified.Compare(a.Modified), cmp.Compare(a.Base, b.Base), cmp.Compare(a.Key, b.Key))
}

// traceToSnapshot walks from the newest object back to a snapshot over the fewest objects, and returns them in the
// order in which they are applied. When it reaches no snapshot, it returns the longest way that it found and the
// missing base.
func traceToSnapshot(newestFirst []object.Stored) (path []object.Stored, missing string) {
	byCommit := map[string][]object.Stored{}
	for _, o := range newestFirst {
		byCommit[o.Commit] = append(byCommit[o.Commit], o)
	}
	type step struct {
		object object.Stored
		next   *step // the object that is applied after this one
	}
	seen := map[string]bool{}
	queue := []*step{{object: newestFirst[0]}}
	furthest := queue[0]
	for ; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if seen[at.object.Base] {
			continue
		}
		seen[at.object.Base] = true
		furthest = at
		if at.object.Base == "" {
			break
		}
		for _, o := range byCommit[at.object.Base] {
			queue = append(queue, &step{o, at})
		}
	}
	for at := furthest; at != nil; at = at.next {
		path = append(path, at.object)
	}
	return path, furthest.object.Base
}
