package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// Upload is one branch that has to be packed and put into the bucket.
type Upload struct {
	Sync project.Sync `json:"sync"`
	// Base is a commit that the bucket already carries, for an increment on it;
	// empty for a snapshot.
	Base string `json:"base,omitempty"`
	// BaseKeys are the keys of the objects that restore Base.
	BaseKeys []string `json:"base_keys,omitempty"`
	// Follows is what the bucket held for the destination. The upload counts only while it still does, and
	// has to be later than that.
	Follows Follows `json:"follows,omitzero"`
	Reason  string  `json:"reason"`
	Try
}

// Uploads is the producer's plan.
type Uploads struct {
	Checked  int       `json:"checked"`
	UpToDate int       `json:"up_to_date"`
	InSync   []Branch  `json:"in_sync,omitempty"` // only with Producer.Detail
	Uploads  []Upload  `json:"uploads,omitempty"`
	Failures []Failure `json:"failures,omitempty"`
	// Orphans is what is to be done about objects whose sync has left the configuration.
	Orphans Orphans `json:"orphans,omitzero"`
	// Superseded counts the objects that newer ones have replaced.
	Superseded int `json:"superseded,omitempty"`
	// Deferred counts the syncs that are left for the next cycles because they did not fit into this plan.
	Deferred int `json:"deferred,omitempty"`
}

// Producer is what the producer's plan is made from.
type Producer struct {
	Syncs  []project.Sync // as configured
	Heads  map[project.Branch]Head
	Chains map[project.Branch]chain.Chain
	// Covers tells for which destinations Chains are complete; nil means for all.
	Covers func(project.Branch) bool
	// Settings is a fingerprint of the configuration that decides what is refused.
	Settings string
	// Turn decides the order of the uploads, unless Detail does.
	Turn turn.Turn
	// Retention decides about orphans, by what the last cycle remembered of them and the time.
	Retention Retention
	Absence   Absence
	Now       time.Time
	// Detail is for a plan that is only shown, as Consumer.Detail.
	Detail bool
}

// maxNamed is how much is shown of names that are not valid, in characters.
const maxNamed = 600

// Accept splits the configured syncs into those that can be worked on and the
// failures of the others. Two syncs of one destination, however they spell it, would overwrite
// each other in turn: both are refused.
func Accept(syncs []project.Sync) (accepted []project.Sync, refused []Failure) {
	sameDestination := map[project.Branch]int{}
	for _, s := range syncs {
		sameDestination[s.Destination.Identity()]++
	}
	for _, s := range syncs {
		if err := s.Validate(); err != nil {
			refused = append(refused, Failure{Subject: foreign.Line(s.Destination.String(), maxNamed), Kind: KindInvalidSync, Reason: foreign.Line(err.Error(), maxNamed)})
			continue
		}
		if n := sameDestination[s.Destination.Identity()]; n > 1 {
			reason := fmt.Sprintf("%d syncs have this destination (case does not count in group and project); this one has the source %s: keep one of them", n, s.Source)
			refused = append(refused, Failure{Subject: s.Destination.String(), Kind: KindDuplicateDestination, Reason: reason})
			continue
		}
		if err := keyFits(s.Destination); err != nil {
			refused = append(refused, Failure{Subject: s.Destination.String(), Kind: KindKeyTooLong, Reason: err.Error()})
			continue
		}
		accepted = append(accepted, s)
	}
	return accepted, refused
}

// keyFits tells before any work is done whether an object of the destination can have a key.
func keyFits(destination project.Branch) error {
	commit := strings.Repeat("1", 40)
	_, err := object.ID{Destination: destination, Commit: commit, Base: commit}.Key()
	return err
}

// Plan compares each source's head with the commit that the bucket carries for
// its destination.
func (p Producer) Plan() Uploads {
	accepted, refused := Accept(p.Syncs)
	out := Uploads{Checked: len(p.Syncs), Failures: refused}
	unasked, held := 0, byIdentity(p.Chains)
	for _, s := range accepted {
		if p.Covers != nil && !p.Covers(s.Destination) {
			out.Deferred++
			continue
		}
		head := p.Heads[s.Source]
		if head.NotAsked {
			unasked++
			continue
		}
		if head.Unreachable {
			out.Failures = append(out.Failures, Failure{Subject: s.Destination.String(), Kind: KindUnreachable, Reason: fmt.Sprintf("source %s: %v; the next cycle tries again", s.Source, head.Err)})
			continue
		}
		if kind, reason := unreadable(head); reason != "" && p.Detail {
			out.Failures = append(out.Failures, Failure{Subject: s.Destination.String(), Kind: kind, Reason: fmt.Sprintf("source %s: %s", s.Source, reason)})
			continue
		}
		c, inBucket := held[s.Destination.Identity()]
		if upload, due := upload(s, head, c, inBucket); due {
			var newest object.Stored
			if inBucket {
				newest = c.Newest()
			}
			upload.Evidence = evidence(head.Commit, newest, p.Settings)
			out.Uploads = append(out.Uploads, upload)
		} else {
			out.UpToDate++
			if p.Detail {
				out.InSync = append(out.InSync, Branch{Destination: s.Destination.String(), Since: c.Newest().Modified})
			}
		}
	}
	if unasked > 0 {
		out.Failures = append(out.Failures, notAsked(unasked))
	}
	order := inOrder(p.Detail, p.Turn)
	slices.SortStableFunc(out.Uploads, func(a, b Upload) int {
		return order(a.Sync.Destination.String(), b.Sync.Destination.String())
	})
	for _, c := range p.Chains {
		out.Superseded += len(c.Superseded)
	}
	out.Orphans = p.Retention.Orphans(p.Syncs, p.Chains, p.Absence, p.Now)
	if failure := out.Orphans.Failure; failure != nil {
		out.Failures = append(out.Failures, *failure)
	}
	return out
}

// HoldBack is Pushes.HoldBack at the producer's side.
func (out *Uploads) HoldBack(refusals map[project.Branch]Refusal, now time.Time) {
	kept := out.Uploads[:0]
	for _, upload := range out.Uploads {
		if failure, held := upload.holdBack(upload.Sync.Destination, refusals, now); held {
			out.Failures = append(out.Failures, failure)
		} else {
			kept = append(kept, upload)
		}
	}
	out.Uploads = kept
}

// unreadable tells why a source cannot be uploaded; the reason is empty when it can.
func unreadable(head Head) (kind, reason string) {
	switch {
	case head.Err != nil:
		return head.Kind, "the source cannot be read: " + head.Err.Error()
	case head.Commit == "":
		return KindBranchNotFound, "the source branch does not exist"
	}
	return "", ""
}

// byIdentity finds a destination's chain whatever spelling of it was uploaded last.
func byIdentity(chains map[project.Branch]chain.Chain) map[project.Branch]chain.Chain {
	held := make(map[project.Branch]chain.Chain, len(chains))
	for b, c := range chains {
		held[b.Identity()] = c
	}
	return held
}

// upload says what is to be uploaded, if anything is, on top of the chain that the bucket has.
func upload(s project.Sync, head Head, c chain.Chain, inBucket bool) (Upload, bool) {
	if _, reason := unreadable(head); reason != "" {
		return Upload{Sync: s, Reason: reason}, true
	}
	switch {
	case !inBucket:
		return Upload{Sync: s, Reason: "nothing in the bucket yet: snapshot"}, true
	case c.Newest().Destination != s.Destination: // its objects are good for that name only, but come before this one's
		return Upload{Sync: s, Follows: follow(c), Reason: fmt.Sprintf("the bucket has it as %s: snapshot", c.Newest().Destination)}, true
	case !c.Broken() && c.Tip() == head.Commit:
		return Upload{}, false
	}
	moved := fmt.Sprintf("source moved from %s to %s", Short(c.Tip()), Short(head.Commit))
	if c.Tip() == head.Commit {
		moved = "source is at " + Short(head.Commit)
	}
	follows := follow(c)
	kept, why := c.Extendable()
	if len(kept) == 0 {
		return Upload{Sync: s, Follows: follows, Reason: moved + ", " + why + ": snapshot"}, true
	}
	u := Upload{Sync: s, Follows: follows, Base: kept[len(kept)-1].Commit}
	u.Reason = fmt.Sprintf("%s: increment on %s", moved, Short(u.Base))
	for _, o := range kept {
		u.BaseKeys = append(u.BaseKeys, o.Key)
	}
	return u, true
}
