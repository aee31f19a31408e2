package plan

import (
	"fmt"
	"maps"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// pushOverlaps tells which chains would push refs of others. Only the one with the newest object is pushed: the
// others are left from an earlier configuration, such as a branch's when a set now has the branch, and two that are
// both pushed would move a ref back and forth.
type pushOverlaps struct {
	index  project.OverlapIndex
	newest map[project.Branch]object.Stored // by identity
}

func (p PushPlanner) findOverlaps() pushOverlaps {
	newest := make(map[project.Branch]object.Stored, len(p.Chains)+len(p.Newest))
	for b, o := range p.Newest {
		if _, known := p.entryOf(b); known { // else it is not pushed
			newest[b] = o
		}
	}
	for b, c := range p.Chains {
		_, known := p.entryOf(b)
		if o, ok := p.newestPushed(c); ok && known {
			newest[b.Identity()] = o
		}
	}
	return pushOverlaps{project.NewOverlapIndex(maps.Keys(newest)), newest}
}

// newestPushed leaves out the predecessor's objects where they are not pushed: nobody has signed them, and they must
// not keep back an object of the producer's own.
func (p PushPlanner) newestPushed(c chain.Chain) (newest object.Stored, ok bool) {
	switch {
	case !c.ByPredecessor() || p.ReadPredecessor:
		return c.Newest(), true
	case len(c.Objects) == 0:
		return newest, false
	}
	return c.Objects[len(c.Objects)-1], true
}

// findOverlaps tells the same for a plan of uploads: what a sync's own chain cannot bring to the destination, because a
// newer one of an earlier configuration keeps it back, has to be uploaded again. So may the predecessor's, which the
// consumer may push. Syncs that are configured do not overlap.
func (p UploadPlanner) findOverlaps() pushOverlaps {
	newest := make(map[project.Branch]object.Stored, len(p.Chains))
	for b, c := range p.Chains {
		if !p.WritePredecessor {
			newest[b.Identity()] = c.Newest()
		}
	}
	return pushOverlaps{project.NewOverlapIndex(maps.Keys(newest)), newest}
}

// coverOf returns a destination that has refs in common with b, and a newer object.
func (o pushOverlaps) coverOf(b project.Branch) (cover project.Branch, ok bool) {
	own, counts := o.newest[b.Identity()]
	if !counts {
		return cover, false
	}
	for other := range o.index.Overlapping(b) {
		if Precedes(own, o.newest[other]) {
			return o.newest[other].Destination, true
		}
	}
	return cover, false
}

// newerThan is the name of the destination that coverOf returns; empty if there is none.
func (o pushOverlaps) newerThan(b project.Branch) string {
	if cover, ok := o.coverOf(b); ok {
		return cover.String()
	}
	return ""
}

func coveredBy(other, branch project.Branch, c chain.Chain) BranchStatus {
	return BranchStatus{
		Destination: branch.String(), Since: c.Newest().Modified,
		Reason: fmt.Sprintf("covered by %s, which has a newer object: nothing is pushed of this one", other),
	}
}
