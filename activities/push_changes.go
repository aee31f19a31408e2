package activities

import (
	"context"
	"fmt"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

// pushChanges compares a set's refs at the destination with those that the bucket's newest object has, and says what Push
// would do about each.
func (c *Consumer) pushChanges(ctx context.Context, push plan.Push) (changes plan.RefChanges, err error) {
	to, err := c.readDestination(ctx, push.Destination)
	if err != nil {
		return changes, err
	}
	list, err := c.readList(ctx, push, to)
	if err != nil {
		return changes, err
	}
	would := to.set.changesTo(list, c.deletionPolicy())
	for _, change := range would.changes {
		if change.old != change.new { // else it is about a shadow, which is ours
			changes.Changes = append(changes.Changes, c.plannedChange(change))
		}
	}
	for _, r := range would.refused {
		changes.Changes = append(changes.Changes, plan.RefChange{Effect: plan.RefRefused, Ref: r.ref, Why: r.reason})
	}
	for _, ref := range would.kept {
		at := to.set.at[ref]
		isDefault := would.keptDefault != "" && to.set.mayBeDefault(refChange{ref: ref, old: at})
		changes.Changes = append(changes.Changes, plan.RefChange{Effect: plan.RefKept, Ref: ref, Old: at, Why: c.whyKept(would, isDefault)})
	}
	return changes, nil
}

// deletionPolicy says which refs of sets Push may delete.
func (c *Consumer) deletionPolicy() deletionPolicy {
	switch {
	case !c.DeleteRefs:
		return deletionPolicy{why: "DELETE_REFS=false"}
	case c.FastForwardOnly:
		return deletionPolicy{why: "PUSH_POLICY=fast-forward"}
	}
	return deletionPolicy{allowed: true, maxShare: c.MaxDeletedShare}
}

// plannedChange says what a push would do to a ref. Whether a branch may move under PUSH_POLICY=fast-forward, the
// destination can only tell when it has the new commits.
func (c *Consumer) plannedChange(change refChange) plan.RefChange {
	planned := plan.RefChange{Effect: plan.RefMoved, Ref: change.ref, Old: change.old, New: change.new}
	switch isTag := strings.HasPrefix(change.ref, "refs/tags/"); {
	case change.old == "":
		planned.Effect = plan.RefCreated
	case change.new == "":
		planned.Effect = plan.RefDeleted
	case c.FastForwardOnly && isTag:
		planned.Effect, planned.Why = plan.RefRefused, "not a fast-forward: a tag that is there does not move"
	case c.FastForwardOnly:
		planned.Why = "if that is a fast-forward"
	}
	return planned
}

// whyKept says why a ref stays that has gone from the source.
func (c *Consumer) whyKept(would setChanges, isDefault bool) string {
	switch {
	case isDefault:
		return "it is the destination's default branch"
	case would.massDeletion:
		return fmt.Sprintf("%d of %d refs that were put there have gone from the source at once (DELETE_REFS_MAX_SHARE)", len(would.kept), would.shadowedTotal)
	}
	return c.deletionPolicy().why
}
