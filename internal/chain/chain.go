// Package chain tells from a bucket listing which objects restore each
// destination branch, and what the next upload should build on. It is pure: no
// state is kept anywhere but in the names, sizes and times of the objects.
//
// A snapshot restores a branch by itself. An increment needs the commit it is
// based on, which an older object carries, and so on back to a snapshot. The
// objects from that snapshot to the newest object are the branch's chain.
package chain

import (
	"cmp"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// Chain is what the bucket holds for one destination branch.
type Chain struct {
	// Objects restores the branch when applied in this order: a snapshot
	// first, the newest object last.
	Objects []object.Stored
	// Superseded is not needed by Objects and may be deleted.
	Superseded []object.Stored
	// MissingBase is the base that no object carries when the newest object does
	// not lead back to a snapshot. Objects then starts with an increment on it.
	MissingBase string
}

// Newest is the object that was uploaded last. It decides the branch's tip.
func (c Chain) Newest() object.Stored { return c.Objects[len(c.Objects)-1] }

// Tip is the commit that the chain restores.
func (c Chain) Tip() string { return c.Newest().Commit }

// Broken tells that the chain does not restore the branch by itself.
func (c Chain) Broken() bool { return c.MissingBase != "" }

// Build sorts a listing into one chain for each destination branch, by the name that its newest object
// has. Every chain has at least one object. It is for listings that are known to be short: see Inventory.
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

// buildChain expects at least one object.
func buildChain(objects []object.Stored) Chain {
	sortNewestFirst(objects)
	path, missing := traceToSnapshot(filterSpelling(objects))
	needed := map[string]bool{}
	for _, o := range path {
		needed[o.Key] = true
	}
	c := Chain{Objects: path, MissingBase: missing}
	if c.Broken() {
		return c // something of it may still be of use to a person: keep all
	}
	for _, o := range objects {
		if !needed[o.Key] {
			c.Superseded = append(c.Superseded, o)
		}
	}
	return c
}

// filterSpelling leaves out what was made for another spelling of the newest object's destination, as before
// it was spelled anew: an object is only good for the names that are signed in it, and two
// chains would move the branch to and fro.
func filterSpelling(newestFirst []object.Stored) []object.Stored {
	return slices.DeleteFunc(slices.Clone(newestFirst), func(o object.Stored) bool { return o.Destination != newestFirst[0].Destination })
}

// sortNewestFirst orders by time. S3 counts in seconds: of several objects of the
// newest second, the first is one that no other of them builds on, and a snapshot rather than
// an increment: that is made to replace increments.
func sortNewestFirst(objects []object.Stored) {
	slices.SortFunc(objects, newestFirst)
	tied := len(objects)
	built := map[string]bool{} // upon, by another object of that second
	for i, o := range objects {
		if !o.Modified.Equal(objects[0].Modified) {
			tied = i
			break
		}
		if o.Base != o.Commit {
			built[o.Base] = true
		}
	}
	for i, o := range objects[:tied] {
		if !built[o.Commit] {
			objects[0], objects[i] = objects[i], objects[0]
			return
		}
	}
}

func newestFirst(a, b object.Stored) int {
	return cmp.Or(b.Modified.Compare(a.Modified), cmp.Compare(a.Base, b.Base), cmp.Compare(a.Key, b.Key))
}

// traceToSnapshot walks from the newest object back to a snapshot, over the fewest
// objects, and returns them in the order in which they are applied. When no
// snapshot can be reached it returns the newest object and the missing base.
func traceToSnapshot(newestFirst []object.Stored) (path []object.Stored, missing string) {
	carriers := map[string][]object.Stored{} // by the commit that they end on
	for _, o := range newestFirst {
		carriers[o.Commit] = append(carriers[o.Commit], o)
	}
	type step struct {
		object object.Stored
		next   *step // the object that is applied after this one
	}
	seen := map[string]bool{}
	queue := []*step{{object: newestFirst[0]}}
	dangling := queue[0]
	for ; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at.object.Base == "" {
			for ; at != nil; at = at.next {
				path = append(path, at.object)
			}
			return path, ""
		}
		if seen[at.object.Base] {
			continue
		}
		seen[at.object.Base] = true
		dangling = at
		for _, o := range carriers[at.object.Base] {
			queue = append(queue, &step{o, at})
		}
	}
	missing = dangling.object.Base
	for at := dangling; at != nil; at = at.next {
		path = append(path, at.object)
	}
	return path, missing
}
