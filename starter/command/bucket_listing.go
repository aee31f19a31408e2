package command

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// maxChainObjects bounds what is in memory at a time: less than 1 kB each.
const maxChainObjects = 500_000

// The kinds of objects in a bucket, in the order in which they are counted.
const (
	kindSnapshot    = "snapshot"
	kindIncrement   = "increment"
	kindPredecessor = "predecessor"
	kindLFS         = "lfs"
	kindCatalog     = "catalog"
	kindUndecodable = "undecodable"
)

// listedObject is one object of the bucket, as it is printed for programs.
type listedObject struct {
	Kind        string `json:"kind"`
	Key         string `json:"key"`
	Destination string `json:"destination,omitempty"` // group/name@branch
	Project     string `json:"project,omitempty"`     // of an LFS object
	Commit      string `json:"commit,omitempty"`      // what the destination becomes; of a set, the ID of a state
	Base        string `json:"base,omitempty"`        // what an increment builds on
	// BaseMissing says that nothing in the bucket has the base.
	BaseMissing bool `json:"base_missing,omitempty"`
	// Superseded says that newer ones have replaced it.
	Superseded bool      `json:"superseded,omitempty"`
	OID        string    `json:"oid,omitempty"`     // of an LFS object
	Segment    int       `json:"segment,omitempty"` // of an LFS object, from 1
	Size       int64     `json:"size"`              // bytes
	Modified   time.Time `json:"modified"`
}

// bucketListing takes in a listing of a bucket. Only objects of chains are kept: what one of them is for, the others tell.
type bucketListing struct {
	wanted  namePatterns
	byName  map[project.Branch][]object.Stored // by identity
	spelled map[project.Branch]project.Branch  // one copy of each spelling's names
	kept    int
}

// each yields every wanted object: what needs no others as it comes, and then the chains, by destination. It stops after the first error.
func (l *bucketListing) each(objects iter.Seq2[bucket.ObjectInfo, error]) iter.Seq2[listedObject, error] {
	return func(yield func(listedObject, error) bool) {
		for o, err := range objects {
			if err != nil {
				yield(listedObject{}, err)
				return
			}
			listed, at, err := l.take(o)
			if err != nil {
				yield(listed, err)
				return
			}
			if at && !yield(listed, nil) {
				return
			}
		}
		for _, listed := range l.chains() {
			if !yield(listed, nil) {
				return
			}
		}
	}
}

// take returns an object that needs no others, and keeps one of a chain.
func (l *bucketListing) take(o bucket.ObjectInfo) (listed listedObject, at bool, err error) {
	listed = listedObject{Key: o.Key, Size: o.Size, Modified: o.Modified.UTC()}
	if o.Key == catalog.Key {
		listed.Kind = kindCatalog
		return listed, len(l.wanted) == 0, nil
	}
	if folder, oid, segment, err := lfs.ParseKey(o.Key); err == nil {
		group, name, _ := lfs.ParseFolder(folder) // ParseKey has read it, too
		listed.Kind, listed.Project, listed.OID, listed.Segment = kindLFS, group+"/"+name, oid, segment
		return listed, l.wanted.hasProject(listed.Project), nil
	}
	stored, err := object.NewStored(o.Key, o.Size, o.Modified)
	if err != nil {
		listed.Kind = kindUndecodable
		return listed, len(l.wanted) == 0, nil
	}
	if l.wanted.has(stored.Destination) {
		return listed, false, l.keep(stored)
	}
	return listed, false, nil
}

func (l *bucketListing) keep(o object.Stored) error {
	if l.kept++; l.kept > maxChainObjects {
		return fmt.Errorf("the bucket has more than %d objects of chains: name some destinations", maxChainObjects)
	}
	if l.byName == nil {
		l.byName, l.spelled = map[project.Branch][]object.Stored{}, map[project.Branch]project.Branch{}
	}
	if _, known := l.spelled[o.Destination]; !known {
		l.spelled[o.Destination] = o.Destination
	}
	o.Destination = l.spelled[o.Destination]
	id := o.Destination.Identity()
	l.byName[id] = append(l.byName[id], o)
	return nil
}

// chains returns the objects of all chains: those that restore the branch in the order in which they are applied, then the others.
func (l *bucketListing) chains() iter.Seq2[project.Branch, listedObject] {
	return func(yield func(project.Branch, listedObject) bool) {
		names := make([]project.Branch, 0, len(l.byName))
		for id := range l.byName {
			names = append(names, id)
		}
		slices.SortFunc(names, func(a, b project.Branch) int { return strings.Compare(a.String(), b.String()) })
		for _, id := range names {
			for _, listed := range chainOf(l.byName[id]) {
				if !yield(id, listed) {
					return
				}
			}
		}
	}
}

func chainOf(objects []object.Stored) (all []listedObject) {
	for b, c := range chain.Build(objects) { // it is one
		restoring := map[string]bool{}
		for _, o := range c.Restoring() {
			restoring[o.Key] = true
			listed := listedOf(b, o, false)
			listed.BaseMissing = c.Broken() && o.Base == c.MissingBase
			all = append(all, listed)
		}
		slices.SortFunc(objects, func(a, b object.Stored) int { return cmp.Or(a.Modified.Compare(b.Modified), cmp.Compare(a.Key, b.Key)) })
		for _, o := range objects {
			if !restoring[o.Key] {
				all = append(all, listedOf(b, o, true))
			}
		}
	}
	return all
}

func listedOf(b project.Branch, o object.Stored, superseded bool) listedObject {
	listed := listedObject{
		Kind: kindSnapshot, Key: o.Key, Destination: b.String(), Commit: o.Commit, Base: o.Base, Superseded: superseded, Size: o.Size, Modified: o.Modified.UTC(),
	}
	switch {
	case o.ByPredecessor():
		listed.Kind = kindPredecessor
	case o.Base != "":
		listed.Kind = kindIncrement
	}
	return listed
}
