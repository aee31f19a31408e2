package chain

import "github.com/app-sre/git-partition-sync/internal/object"

// growthFactor is how many times larger an object has to be than all later ones together. With 2, as in git-repack(1)
// --geometric=2, a chain over n bytes of updates has O(log n) objects, and each byte is uploaded O(log n) times.
const growthFactor = 2

// ReusablePrefix returns the beginning of the chain that the next upload builds on. The upload's base is the prefix's
// last commit, and the upload replaces all later objects. The prefix is empty when a snapshot is due; then there is a
// reason.
//
// The size of the upload is not known yet, so the rule repairs what the last upload left behind: it keeps the longest
// prefix in which every object is at least twice as large as all later ones together. When not even the snapshot is,
// the increments have outgrown half of it, and a new snapshot is due.
func (c Chain) ReusablePrefix() (prefix []object.Stored, reason string) {
	switch {
	case c.ByPredecessor():
		return nil, "the bucket's newest object is the predecessor's"
	case c.Broken():
		return nil, "the bucket's chain is broken"
	}
	var following int64
	length := len(c.Objects)
	for i := length - 1; i >= 0; i-- {
		if c.Objects[i].Size < growthFactor*following {
			length = i
		}
		following += c.Objects[i].Size
	}
	if length == 0 {
		return nil, "increments have outgrown half of the snapshot"
	}
	return c.Objects[:length], ""
}
