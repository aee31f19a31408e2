package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// Push is a destination branch or tag that is behind the bucket.
type Push struct {
	Destination project.Branch  `json:"destination"`
	Commit      string          `json:"commit"`  // what the branch has to become
	Objects     []object.Stored `json:"objects"` // the whole chain, oldest first
	Reason      string          `json:"reason"`
	// Head is the commit that the branch was at when the push was planned. It is empty if there was no branch, or it
	// could not be read.
	Head  string    `json:"head,omitempty"`
	Since time.Time `json:"since,omitzero"` // when the newest object was uploaded
	// MovedAt is when the producer first saw the source where the bucket has it, by its catalog; zero if that does not say it.
	MovedAt time.Time `json:"source_moved_at,omitzero"`
	// FromSnapshot sends the whole chain, and builds on nothing that the destination has.
	FromSnapshot bool `json:"from_snapshot,omitempty"`
	// AllowRollback says that the operator accepts an object that is older than the one applied last.
	AllowRollback bool `json:"allow_rollback,omitempty"`
	// Expected is what the newest object has to be.
	Expected Expected `json:"expected,omitzero"`
	Attempt
}

// PushPlanner decides which destinations have to be pushed to.
type PushPlanner struct {
	PageRequest

	// Only limits the plan to some destinations.
	Only   Subset
	Chains map[project.Branch]chain.Chain
	// Newest has the newest objects of destinations, by identity, that Chains has not and that overlap some which it has.
	Newest map[project.Branch]object.Stored
	// Covers tells for which destinations Chains is complete. Nil means for all.
	Covers func(project.Branch) bool
	Allow  project.Allowlist
	// Catalog is what the producer says, as it was read before Chains; nil if there is nothing to go by.
	Catalog *catalog.Catalog
	// Rollback tells for which destinations an operator accepts older objects. Nil means for none.
	Rollback func(project.Branch) bool
	// RequireNoted plans a push also when the destination is at the right commit but has not recorded the branch's
	// newest object.
	RequireNoted bool
	// ReadPredecessor has the predecessor's objects pushed.
	ReadPredecessor bool
	// CreateProjects plans pushes that create projects which do not exist.
	CreateProjects bool
	// Settings is a fingerprint of the configuration that decides what is refused.
	Settings string
}

// decide compares a destination's head with the commit that the bucket has for it.
func (p PushPlanner) decide(branch project.Branch, c chain.Chain, expected Expected, head Head) (d decision[Push]) {
	fail := func(kind, reason string) decision[Push] {
		return decision[Push]{failure: &Failure{Subject: branch.String(), Kind: kind, Reason: reason}}
	}
	switch {
	case !p.Allow.Allows(branch):
		failure := NotAllowed(branch)
		return decision[Push]{failure: &failure}
	case expected.Withheld(c):
		return p.decideWithheld(branch, c, expected)
	case head.Unreachable:
		return fail(KindUnreachable, triedAgain(head.Err))
	case p.inSync(c, head):
		d.inSync = BranchStatus{Destination: branch.String(), Since: c.Newest().Modified}
		if c.ByPredecessor() {
			d.inSync.Reason = replacedByProducer
		}
		return d
	case head.Err != nil && p.Detail && !p.creates(head):
		return fail(head.Kind, head.Err.Error())
	case c.ByPredecessor() && !p.ReadPredecessor:
		return fail(KindPredecessorObject, p.whereIsPredecessors(branch, head, c)+": "+replacedByProducer)
	}
	push := p.planPush(branch, head, c)
	push.Expected = expected
	push.Evidence = fingerprint(head, c.Newest(), p.Settings)
	return decision[Push]{move: &push, attempt: &push.Attempt}
}

const replacedByProducer = "the predecessor has uploaded that; the producer, when it runs, replaces it in its next cycle"

// inSync tells whether the destination is where the bucket's newest object puts it.
func (p PushPlanner) inSync(c chain.Chain, head Head) bool {
	switch there := head.Commit == c.Tip(); {
	case head.Commit == "":
		return false
	case c.Newest().Destination.IsSet(): // others may have refs there, too
		return head.Commit == head.Noted
	case !p.RequireNoted: // the archive of a predecessor's object may have had another commit than its key
		return there || p.ReadPredecessor && head.Commit == head.Noted
	case c.ByPredecessor(): // nobody has signed that: it must not keep back an object of the producer's own
		return there && (len(c.Objects) == 0 || c.Objects[len(c.Objects)-1].Commit == head.Commit)
	default:
		return there && head.Noted != ""
	}
}

// NotAllowed is the failure of a destination that the consumer may not push to.
func NotAllowed(b project.Branch) Failure {
	return Failure{Subject: b.String(), Kind: KindNotAllowed, Reason: "the destination is not in ALLOWED_DESTINATIONS"}
}

// creates tells whether a push creates the project. It finds out if the project is there, and is only hidden.
func (p PushPlanner) creates(head Head) bool { return head.NoProject && p.CreateProjects }

// whereIs says where the destination is, in words.
func (p PushPlanner) whereIs(branch project.Branch, head Head) string {
	switch {
	case p.creates(head):
		return "the project does not exist yet" + norGroups(head.MissingGroups)
	case head.Err != nil:
		return "the destination cannot be read: " + head.Err.Error()
	case head.Commit == "" && branch.IsSet():
		return "no ref of the destination matches " + branch.Branch + " yet"
	case head.Commit == "":
		return fmt.Sprintf("the %s does not exist yet", branch.Kind())
	case branch.IsSet() && head.Noted != "":
		return "the destination's refs have changed since they were pushed"
	case branch.IsSet():
		return "the destination has yet to note the bucket's newest object"
	}
	return "the destination is at " + Short(head.Commit)
}

// whereIsPredecessors compares the destination with an object of the predecessor.
func (p PushPlanner) whereIsPredecessors(branch project.Branch, head Head, c chain.Chain) string {
	if head.Commit == c.Tip() {
		return p.whereIs(branch, head) + ", as the predecessor has uploaded it, and not where the newest object of the producer's own has it"
	}
	return p.whereIs(branch, head) + ", the bucket's newest object of it at " + Short(c.Tip())
}

func norGroups(missing []string) string {
	switch last := len(missing) - 1; {
	case last < 0:
		return ""
	case last == 0:
		return fmt.Sprintf(", nor does the group %q", missing[0])
	default:
		return fmt.Sprintf(", nor do the groups %q to %q", missing[0], missing[last])
	}
}

func (p PushPlanner) planPush(branch project.Branch, head Head, c chain.Chain) Push {
	push := Push{Destination: branch, Head: head.Commit, Commit: c.Tip(), Objects: c.Restoring(), Since: c.Newest().Modified}
	switch push.Reason = p.whereIs(branch, head); {
	case p.creates(head):
		push.Reason += ": create it, with the " + branch.Kind() + " at " + shortState(branch, c.Tip())
	case head.Err != nil:
	case branch.IsSet():
		push.Reason += ": put the refs in " + shortState(branch, c.Tip())
	case head.Commit == c.Tip():
		push.Reason += " and has yet to note the bucket's newest object"
	case head.Commit == "":
		push.Reason += ": create it at " + Short(c.Tip())
	default:
		push.Reason += ", the bucket at " + Short(c.Tip())
	}
	return push
}

// Bases returns the commits that the chain's increments build on.
func Bases(objects []object.Stored) (bases []string) {
	for _, o := range objects {
		if o.Base != "" {
			bases = append(bases, o.Base)
		}
	}
	return bases
}

// MissingObjects returns the shortest end of the chain that brings a destination up to date which has the known
// commits. It starts with an increment on one of them, or with the snapshot. It is nil when the chain has no snapshot
// and the destination knows none of its bases.
func MissingObjects(objects []object.Stored, known []string) []object.Stored {
	for i, o := range slices.Backward(objects) {
		if o.Base == "" || slices.Contains(known, o.Base) {
			return objects[i:]
		}
	}
	return nil
}
