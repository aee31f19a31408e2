package plan

import (
	"cmp"
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// Upload is a branch or tag that has to be packed and put into the bucket.
type Upload struct {
	Sync project.Sync `json:"sync"`
	// Base is the commit that an increment builds on, which the bucket already has. It is empty for a snapshot.
	Base string `json:"base,omitempty"`
	// BaseKeys are the keys of the objects that restore Base.
	BaseKeys []string `json:"base_keys,omitempty"`
	// SeenChain is what the bucket held for the destination when this was planned. The upload is valid only while that
	// is still so, and has to come later than that.
	SeenChain ChainState `json:"follows,omitzero"`
	// BaseChain is the hash (chain.Hash) of the objects that BaseKeys names, if they are known to be what this producer has
	// uploaded. Else it is empty.
	BaseChain string `json:"base_chain,omitempty"`
	// MadeAfter is the time after which the object has to be made, because the destination has had one of that time.
	MadeAfter time.Time `json:"made_after,omitzero"`
	Reason    string    `json:"reason"`
	// SourceCommit is the commit that the source was at when this was planned, or the state of a set. It is empty if it could not be read.
	SourceCommit string `json:"source_commit,omitempty"`
	Attempt
}

// UploadPlanner decides which sources have to be uploaded.
type UploadPlanner struct {
	PageRequest

	Syncs []project.Sync // as configured
	// Only limits the plan to some destinations.
	Only   Subset
	Chains map[project.Branch]chain.Chain
	// Covers tells for which destinations Chains is complete. Nil means for all.
	Covers func(project.Branch) bool
	// Trust says of a destination and its chain, which has no objects if there is none, how far that is known to be this
	// producer's. Nil knows nothing.
	Trust func(project.Branch, chain.Chain) Trust
	// LastSeen is what the last catalog says of a destination; the zero value if it does not know it. Nil knows none. Now is
	// when this is planned. Both are only for a plan that is shown.
	LastSeen func(project.Branch) catalog.Sync
	Now      time.Time
	// Settings is a fingerprint of the configuration that decides what is refused.
	Settings string
	// WritePredecessor is for a consumer that is the predecessor's: it needs a complete object of its own kind, and nothing else.
	// Chains has to be read for it, too.
	WritePredecessor bool
}

// bucketState is what the bucket holds for a destination.
type bucketState struct {
	chain.Chain
	exists bool // otherwise the chain is the zero value
	trust  Trust
	// cover is another destination with refs in common and a newer object; empty if there is none.
	cover string
}

func (p UploadPlanner) stateOf(destination project.Branch, c chain.Chain, exists bool, cover string) bucketState {
	state := bucketState{Chain: c, exists: exists, cover: cover}
	if p.Trust != nil {
		state.trust = p.Trust(destination, c)
	}
	return state
}

// decide compares a source's head with the commit that the bucket has for its destination.
func (p UploadPlanner) decide(s project.Sync, c bucketState, head Head) (d decision[Upload]) {
	fail := func(kind, reason string) decision[Upload] {
		return decision[Upload]{failure: &Failure{Subject: s.Destination.String(), Kind: kind, Reason: fmt.Sprintf("source %s: %s", s.Source, reason)}}
	}
	if head.Unreachable {
		return fail(KindUnreachable, triedAgain(head.Err))
	}
	if kind, reason := unreadableReason(s.Source, head); reason != "" && p.Detail {
		return fail(kind, reason)
	}
	upload, due := p.planUpload(s, head, c)
	if !due {
		d.inSync = BranchStatus{Destination: s.Destination.String(), Since: c.Newest().Modified}
		return d
	}
	var newest object.Stored
	if c.exists {
		newest = c.Newest()
	}
	upload.MadeAfter, upload.SourceCommit = c.trust.MadeAfter, head.Commit
	upload.Evidence = fingerprint(head, newest, p.Settings)
	d = decision[Upload]{move: &upload, attempt: &upload.Attempt, heals: p.isUpToDate(c, head) && c.trust.Heal != ""}
	if d.heals {
		d.inSync = BranchStatus{Destination: s.Destination.String(), Reason: "in one of the next cycles: " + upload.Reason, Since: newest.Modified}
	}
	return d
}

// unreadableReason tells why a source cannot be uploaded. The reason is empty when it can.
func unreadableReason(source project.Branch, head Head) (kind, reason string) {
	switch {
	case head.Err != nil:
		return head.Kind, "the source cannot be read: " + head.Err.Error()
	case head.Commit == "" && source.IsSet():
		return KindBranchNotFound, "no ref matches " + source.Branch
	case head.Commit == "":
		return KindBranchNotFound, fmt.Sprintf("the source %s does not exist", source.Kind())
	}
	return "", ""
}

// planUpload returns what has to be uploaded on top of the bucket's chain. It is false when nothing has to be.
func (p UploadPlanner) planUpload(s project.Sync, head Head, c bucketState) (Upload, bool) {
	_, unreadable := unreadableReason(s.Source, head)
	snapshot := "snapshot"
	if p.WritePredecessor {
		snapshot = "snapshot for the predecessor"
	}
	switch {
	case !c.exists:
		return Upload{Sync: s, Reason: cmp.Or(unreadable, "nothing in the bucket yet: "+snapshot)}, true
	case unreadable != "": // by the time of the run, it may be readable
		return Upload{Sync: s, SeenChain: chainState(c.Chain), Reason: unreadable}, true
	case c.Newest().Destination != s.Destination: // its objects are good for that name only, but come before this one's
		return Upload{Sync: s, SeenChain: chainState(c.Chain), Reason: fmt.Sprintf("the bucket has it as %s: %s", c.Newest().Destination, snapshot)}, true
	case p.isUpToDate(c, head):
		why := c.trust.Heal
		if c.cover != "" {
			why = fmt.Sprintf("the bucket has a newer object of %s, which is not configured and has refs in common", c.cover)
		}
		if why == "" {
			return Upload{}, false
		}
		reason := fmt.Sprintf("%s, but %s: %s", movedReason(s.Source, c.Tip(), head.Commit), why, snapshot)
		return Upload{Sync: s, SeenChain: chainState(c.Chain), Reason: reason}, true
	}
	moved := movedReason(s.Source, c.Tip(), head.Commit)
	u := Upload{Sync: s, SeenChain: chainState(c.Chain)}
	prefix, why := p.reusablePrefix(c)
	if len(prefix) == 0 {
		if why != "" {
			moved += ", " + why
		}
		u.Reason = moved + ": " + snapshot
		return u, true
	}
	u.Base = prefix[len(prefix)-1].Commit
	u.Reason = fmt.Sprintf("%s: increment on %s", moved, shortState(s.Source, u.Base))
	for _, o := range prefix {
		u.BaseKeys = append(u.BaseKeys, o.Key)
	}
	if c.trust.Known {
		u.BaseChain = chain.Hash(prefix)
	}
	return u, true
}

// isUpToDate tells whether the bucket has, by its keys, what the source has.
func (p UploadPlanner) isUpToDate(c bucketState, head Head) bool {
	return c.exists && !c.Broken() && c.ByPredecessor() == p.WritePredecessor && c.Tip() == head.Commit
}

// movedReason tells where a source is now that the bucket has at another commit, or at the same.
func movedReason(source project.Branch, bucket, now string) string {
	switch {
	case source.IsSet() && bucket == now:
		return "the source's refs are still in " + shortState(source, now)
	case source.IsSet():
		return "the source's refs have changed"
	case bucket == now:
		return "source is at " + Short(now)
	}
	return fmt.Sprintf("source moved from %s to %s", Short(bucket), Short(now))
}

// reusablePrefix is the beginning of the chain that the upload builds on, or why it builds on nothing, if that is worth a word.
func (p UploadPlanner) reusablePrefix(c bucketState) (prefix []object.Stored, why string) {
	switch {
	case c.trust.Heal != "":
		return nil, c.trust.Heal
	case !p.WritePredecessor:
		return c.ReusablePrefix()
	case !c.ByPredecessor():
		return nil, "the bucket's newest object is not the predecessor's"
	}
	return nil, ""
}
