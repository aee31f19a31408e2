package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// Push is one destination branch that is behind the bucket.
type Push struct {
	Destination project.Branch  `json:"destination"`
	Commit      string          `json:"commit"`  // what the branch has to become
	Objects     []object.Stored `json:"objects"` // the whole chain, oldest first
	Reason      string          `json:"reason"`
	// Head is the commit that the branch was at when this was planned; empty if there was none, or none could be read.
	Head  string    `json:"head,omitempty"`
	Since time.Time `json:"since,omitzero"` // when the newest object was uploaded
	// FromSnapshot says not to build on anything that the destination has.
	FromSnapshot bool `json:"from_snapshot,omitempty"`
	// AllowRollback is the operator's word that an object may be older than what was
	// applied last.
	AllowRollback bool `json:"allow_rollback,omitempty"`
	Try
}

// Pushes is the consumer's plan.
type Pushes struct {
	Checked  int       `json:"checked"`
	UpToDate int       `json:"up_to_date"`
	InSync   []Branch  `json:"in_sync,omitempty"` // only with Consumer.Detail
	Pushes   []Push    `json:"pushes,omitempty"`
	Failures []Failure `json:"failures,omitempty"`
	Warning  string    `json:"warning,omitempty"`
	// Deferred counts the branches that are left for the next cycles because they did not fit into this plan.
	Deferred int `json:"deferred,omitempty"`
}

// Consumer is what the consumer's plan is made from.
type Consumer struct {
	Heads  map[project.Branch]Head
	Chains map[project.Branch]chain.Chain
	Allow  project.Allowlist
	// Note has each destination note the newest object of its branch, even if that brings no other commit.
	Note bool
	// Settings is a fingerprint of the configuration that decides what is refused.
	Settings string
	// Turn decides the order of the pushes, unless Detail does.
	Turn turn.Turn
	// Detail is for a plan that is only shown. It lists the branches that are in sync, too, and counts
	// as failed what cannot be read, as no run is going to find that out.
	Detail bool
}

// Plan compares each destination's head with the commit that the bucket
// carries for it.
func (p Consumer) Plan() Pushes {
	out := Pushes{Checked: len(p.Chains)}
	unasked := 0
	for branch, c := range p.Chains {
		head := p.Heads[branch]
		switch {
		case !p.Allow.Allows(branch):
			out.Failures = append(out.Failures, Failure{Subject: branch.String(), Kind: KindNotAllowed, Reason: "the destination is not in ALLOWED_DESTINATIONS"})
		case head.NotAsked:
			unasked++
		case head.Unreachable:
			out.Failures = append(out.Failures, Failure{Subject: branch.String(), Kind: KindUnreachable, Reason: fmt.Sprintf("%v; the next cycle tries again", head.Err)})
		case head.Err == nil && head.Commit == c.Tip() && (head.Noted || !p.Note):
			out.UpToDate++
			if p.Detail {
				out.InSync = append(out.InSync, Branch{Destination: branch.String(), Since: c.Newest().Modified})
			}
		case head.Err != nil && p.Detail:
			out.Failures = append(out.Failures, Failure{Subject: branch.String(), Kind: head.Kind, Reason: head.Err.Error()})
		default:
			push := push(branch, head, c)
			push.Evidence = evidence(head.Commit, c.Newest(), p.Settings)
			out.Pushes = append(out.Pushes, push)
		}
	}
	if unasked > 0 {
		out.Failures = append(out.Failures, notAsked(unasked))
	}
	order := inOrder(p.Detail, p.Turn)
	slices.SortFunc(out.Pushes, func(a, b Push) int {
		return order(a.Destination.String(), b.Destination.String())
	})
	slices.SortFunc(out.Failures, func(a, b Failure) int { return cmp.Compare(a.Subject, b.Subject) })
	return out
}

// HoldBack takes out what was refused on the same evidence as now, and has not waited long enough
// since; it is reported with what it was refused for.
func (p *Pushes) HoldBack(refusals map[project.Branch]Refusal, now time.Time) {
	kept := p.Pushes[:0]
	for _, push := range p.Pushes {
		if failure, held := push.holdBack(push.Destination, refusals, now); held {
			p.Failures = append(p.Failures, failure)
		} else {
			kept = append(kept, push)
		}
	}
	p.Pushes = kept
}

func push(branch project.Branch, head Head, c chain.Chain) Push {
	p := Push{Destination: branch, Head: head.Commit, Commit: c.Tip(), Objects: c.Objects, Since: c.Newest().Modified}
	switch {
	case head.Err != nil:
		p.Reason = "the destination cannot be read: " + head.Err.Error()
	case head.Commit == c.Tip():
		p.Reason = fmt.Sprintf("the destination is at %s and has yet to note the bucket's newest object", Short(head.Commit))
	case head.Commit == "":
		p.Reason = fmt.Sprintf("the branch does not exist yet: create it at %s", Short(c.Tip()))
	default:
		p.Reason = fmt.Sprintf("the destination is at %s, the bucket at %s", Short(head.Commit), Short(c.Tip()))
	}
	return p
}

// Bases are the commits that the chain's increments build on.
func Bases(objects []object.Stored) (bases []string) {
	for _, o := range objects {
		if o.Base != "" {
			bases = append(bases, o.Base)
		}
	}
	return bases
}

// Missing is the shortest end of the chain that a destination needs which has the known
// commits: it starts with an increment on one of them, or with the snapshot. There is
// none when the chain has no snapshot and its first base is not known either.
func Missing(objects []object.Stored, known []string) []object.Stored {
	for i, o := range slices.Backward(objects) {
		if o.Base == "" || slices.Contains(known, o.Base) {
			return objects[i:]
		}
	}
	return nil
}
