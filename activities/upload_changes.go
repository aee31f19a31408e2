package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
)

// errBrokenSet says why the refs are not known that the bucket has of a set.
var errBrokenSet = errors.New("an object is missing on which others build")

// uploadChanges compares the refs of a set's source with those that the bucket has, which it reads as Clone reads those that
// an increment builds on. Where they cannot be read, all of the source's refs would be uploaded. The chain is the zero
// value if the bucket has nothing of the set.
func (p *Producer) uploadChanges(ctx context.Context, sync project.Sync, c chain.Chain) (changes plan.RefChanges, err error) {
	tip, err := p.readSet(ctx, sync)
	if err != nil {
		return changes, fmt.Errorf("source %s: %w", sync.Source, err)
	}
	changes.Note = tip.leftOut
	base, unknown := p.bucketRefs(ctx, c)
	if ctx.Err() != nil {
		return changes, context.Cause(ctx)
	}
	if unknown != nil {
		for _, ref := range tip.refs {
			changes.Changes = append(changes.Changes, plan.RefChange{Effect: plan.RefUploaded, Ref: sync.Source.RefFor(ref.Part), New: ref.Object})
		}
		changes.AddNote("which of them have changed is not known: " + unknown.Error())
		return changes, nil
	}
	for _, ref := range refset.Diff(base, tip.refs) {
		old, _ := base.Find(ref.Part)
		change := plan.RefChange{Effect: plan.RefMoved, Ref: sync.Source.RefFor(ref.Part), Old: old.Object, New: ref.Object}
		switch {
		case ref.IsDeletion():
			change.Effect, change.New = plan.RefDeleted, ""
		case old.Object == "":
			change.Effect = plan.RefCreated
		}
		changes.Changes = append(changes.Changes, change)
	}
	return changes, nil
}

// bucketRefs returns the refs of the newest state of a set that the bucket has.
func (p *Producer) bucketRefs(ctx context.Context, c chain.Chain) (refset.List, error) {
	switch {
	case c.Broken():
		return nil, errBrokenSet
	case len(c.Objects) > 0 && !p.Signer.Signs():
		return nil, errNoSelfKey
	}
	var keys []string
	for _, o := range c.Objects {
		keys = append(keys, o.Key)
	}
	return p.ownRefs(ctx, keys)
}

// chainOf is the chain of a destination in any spelling; the zero value if there is none.
func (c bucketContents) chainOf(destination project.Branch) chain.Chain {
	for branch, chain := range c.chains {
		if branch.Identity() == destination.Identity() {
			return chain
		}
	}
	return chain.Chain{}
}
