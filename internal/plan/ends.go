package plan

import (
	"time"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// Ends is where both ends of a sync are, as far as a plan knows. Times that are not known are zero.
type Ends struct {
	// Source is the commit, or the state of a set, that the source is at. A consumer knows it from its producer, and so as of then.
	Source string `json:"source_commit,omitempty"`
	// Is is the same of what this side has: of the bucket at the producer, of the destination at the consumer. It is empty if there
	// is nothing, or it could not be read.
	Is string `json:"is_commit,omitempty"`
	// Unread says that the Git server has not told: at the producer where the source is now, at the consumer Is.
	Unread bool `json:"unread,omitempty"`
	// Objects are those in the bucket that bring the destination up to date from nothing, and Size their bytes.
	Objects int   `json:"objects,omitempty"`
	Size    int64 `json:"size,omitempty"`
	// BehindSince is when the source was seen to have moved to what this side does not have yet. With AtLeast, it was behind before
	// that already, for nobody knows how long.
	BehindSince time.Time `json:"behind_since,omitzero"`
	AtLeast     bool      `json:"at_least,omitempty"`
}

// endsOf has what the bucket says of both.
func endsOf(c chain.Chain) *Ends {
	ends := &Ends{}
	if len(c.All()) == 0 {
		return ends
	}
	for _, o := range c.Restoring() {
		ends.Objects++
		ends.Size += o.Size
	}
	return ends
}

// ends are those of a sync at the consumer, for a plan that is shown. Without a catalog, the source is as the bucket has it.
func (p PushPlanner) ends(entry catalog.Sync, c chain.Chain, head Head, destination string) *Ends {
	ends := endsOf(c)
	ends.Is, ends.Source, ends.Unread = destination, entry.State, head.Err != nil && !head.NoProject
	tip := ""
	if ends.Objects > 0 {
		tip = c.Tip()
	}
	if ends.Source == "" {
		ends.Source = tip
	}
	switch {
	case ends.Unread:
	case entry.State != "" && entry.State != destination:
		ends.BehindSince = entry.MovedAt
	case tip != "" && tip != destination: // the catalog is of before the newest object, or there is none
		ends.BehindSince, ends.AtLeast = c.Newest().Modified, true
	}
	return ends
}

// ends are those of a sync at the producer, for a plan that is shown. What its catalog says of the source is of the last cycle.
func (p UploadPlanner) ends(destination project.Branch, c bucketState, head Head) *Ends {
	ends, entry := endsOf(c.Chain), catalog.Sync{}
	if p.LastSeen != nil {
		entry = p.LastSeen(destination)
	}
	if ends.Source, ends.Unread = head.Commit, head.Err != nil; ends.Source == "" {
		ends.Source = entry.State
	}
	if c.exists {
		ends.Is = c.Tip()
	}
	switch {
	case ends.Source == ends.Is || ends.Source == "":
	case entry.State != "" && entry.State != ends.Is: // the last cycle has seen that it had moved
		ends.BehindSince, ends.AtLeast = entry.MovedAt, entry.State != ends.Source
	case entry.State != "": // it has moved since the last cycle looked
		ends.BehindSince = p.Now
	}
	return ends
}
