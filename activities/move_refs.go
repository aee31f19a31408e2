package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/refset"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// setPush is what a push of a set has besides that of a branch.
type setPush struct {
	list     refset.List // what the set has to become
	before   refset.List // what it was
	deletion deletionPolicy
	// wholeChain says that what the destination seems to have is not to be built on.
	wholeChain bool

	to      setChanges
	refused map[string]string // why the destination or the policy refuses refs
}

// sendAndMoveRefs sends the packs that the destination lacks, and then moves the set's refs: in one transaction, unless
// the destination refuses some of them, or a folder takes the place of a ref.
func (p *push) sendAndMoveRefs(ctx context.Context) (err error) {
	if p.list, err = stagedList(p.run, p.Target.Commit); err != nil {
		return err
	}
	if p.before, err = p.set.list(); err != nil {
		return err
	}
	proven := p.incoming != "" || p.guard.ref != ""
	if err := p.sendStates(ctx); err != nil {
		return err
	}
	if !proven && p.tip != p.Target.Commit {
		if err := p.proveOwnRefs(ctx); err != nil {
			return err
		}
	}
	if err := p.planChanges(ctx); err != nil {
		return err
	}
	if first, _ := inTwoSteps(p.to.changes); len(first) > 0 {
		if err := p.moveRefs(ctx, first, false); err != nil {
			return err
		}
		if err := p.rereadAndCheck(ctx); err != nil {
			return err
		}
		if err := p.planChanges(ctx); err != nil {
			return err
		}
	}
	return p.moveRefs(ctx, p.to.changes, true)
}

// sendStates sends the packs that the destination lacks. The objects of a state are kept by a ref to one of them until its
// refs follow.
func (p *push) sendStates(ctx context.Context) error {
	next := 0
	if !p.wholeChain {
		next = max(countSent(p.Bundles, p.tip), countSent(p.Bundles, p.incoming))
	} else if err := p.forgetSent(ctx); err != nil {
		return err
	}
	for ; next < len(p.Bundles); next++ {
		if err := p.sendState(ctx, next); err != nil {
			return err
		}
	}
	return nil
}

// forgetSent removes the ref which says that all of a state has been sent: the destination may have lost some of it, as it keeps what
// no ref leads to for a while only. To put the ref where it is would be no change, and no push.
func (p *push) forgetSent(ctx context.Context) error {
	if p.incoming == "" {
		return nil
	}
	err := p.deleteRefs(ctx, smarthttp.RefUpdate{Ref: stateRef(p.branch, p.incoming), Old: p.incomingObject})
	if err != nil {
		return p.classify(ctx, archive.Bundle{}, err)
	}
	p.incoming, p.incomingObject = "", ""
	return nil
}

// sendState sends a pack, and makes the set's state ref say so.
func (p *push) sendState(ctx context.Context, i int) error {
	b := p.Bundles[i]
	refs, err := stagedRefs(p.run, i, b)
	if err != nil {
		return err
	}
	object := p.anyObject()
	if at := slices.IndexFunc(refs, func(r refset.Ref) bool { return !r.IsDeletion() }); at >= 0 {
		object = refs[at].Object
	}
	err = p.send(ctx, i, p.stateUpdates(b.Commit, object)...)
	if err == nil {
		p.incoming, p.incomingObject = b.Commit, object
	}
	return err
}

// stateUpdates make the set's state ref say that all of a state has been sent.
func (p *push) stateUpdates(state, object string) (updates []smarthttp.RefUpdate) {
	next := smarthttp.RefUpdate{Ref: stateRef(p.branch, state), New: object}
	if p.incoming == state {
		next.Old = p.incomingObject
	} else if p.incoming != "" {
		updates = append(updates, smarthttp.RefUpdate{Ref: stateRef(p.branch, p.incoming), Old: p.incomingObject})
	}
	if next.Old != next.New {
		updates = append(updates, next)
	}
	return updates
}

// proveOwnRefs checks, before any ref moves for the first time, that the destination shows the refs that it has taken.
func (p *push) proveOwnRefs(ctx context.Context) error {
	sent := p.incoming
	if err := p.rereadAndCheck(ctx); err != nil {
		return err
	}
	if p.incoming != sent {
		return fmt.Errorf("%w: %s was taken but is not shown", ErrOwnRefs, stateRef(p.branch, sent))
	}
	return nil
}

// rereadAndCheck reads the refs again between two pushes. What a newer run has pushed meanwhile must not be taken back.
func (p *push) rereadAndCheck(ctx context.Context) (err error) {
	if p.destination, err = p.reread(ctx); err != nil {
		return err
	}
	return p.check(ctx)
}

// planChanges compares the destination with the list, and takes out what has been refused.
func (p *push) planChanges(ctx context.Context) error {
	p.to = p.set.changesTo(p.list, p.deletion)
	for _, r := range p.to.refused {
		p.refused[r.ref] = r.reason
	}
	if p.fastForwardOnly {
		if err := p.refuseBackwards(ctx); err != nil {
			return err
		}
	}
	p.to.changes = slices.DeleteFunc(p.to.changes, func(c refChange) bool { return p.refused[c.ref] != "" })
	return nil
}

// refuseBackwards refuses tags that move, and branches whose new commit does not lead back to where they are.
func (p *push) refuseBackwards(ctx context.Context) error {
	for _, c := range p.to.changes {
		switch {
		case c.old == "" || c.new == "" || c.old == c.new || p.refused[c.ref] != "":
			continue
		case strings.HasPrefix(c.ref, "refs/tags/"):
			p.refused[c.ref] = fmt.Sprintf("not a fast-forward: a tag that is there does not move, from %s to %s", c.old, c.new)
			continue
		}
		descends, err := p.forge.Descends(ctx, p.branch.Path(), c.new, c.old)
		if err != nil {
			return err
		}
		if !descends {
			p.refused[c.ref] = fmt.Sprintf("not a fast-forward: it is at %s, which the source's %s does not lead back to", c.old, c.new)
		}
	}
	return nil
}

// moveRefs makes changes in one transaction with the replay guard and, if these are the last and all, with the note that
// nothing is left to do. If the destination refuses any, they are made one by one.
func (p *push) moveRefs(ctx context.Context, changes []refChange, last bool) error {
	var own []smarthttp.RefUpdate
	if last {
		own = p.stateUpdates(p.Target.Commit, p.list[0].Object)
	}
	note, err := p.noteFor(last)
	if err != nil {
		return err
	}
	own = append(own, p.guard.updatesFor(p.guardTime(), note, p.list[0].Object)...)
	updates := append(updatesOf(changes), own...)
	if len(updates) == 0 {
		return nil
	}
	err = p.updateRefs(ctx, updates...)
	refused, ok := errors.AsType[*smarthttp.RefusedError](err)
	if !ok || len(changes) == 0 || !p.isOfRefs(refused) {
		return p.classify(ctx, archive.Bundle{}, err)
	}
	if err := p.moveApart(ctx, changes, refused); err != nil || !last {
		return err
	}
	if err := p.rereadAndCheck(ctx); err != nil {
		return err
	}
	p.to.changes = nil
	return p.moveRefs(ctx, nil, last)
}

// noteFor returns the note that the newest object has been looked at, with the state of the refs as they are after the last
// changes. It is "" as long as something is left to do.
func (p *push) noteFor(last bool) (string, error) {
	if !last || p.to.massDeletion || len(p.refused) > 0 || p.Target.SeenChain.Modified.IsZero() {
		return "", nil
	}
	after := setRefs{set: p.branch, at: maps.Clone(p.set.at)}
	for _, c := range p.to.changes {
		delete(after.at, c.ref)
		if c.new != "" {
			after.at[c.ref] = c.new
		}
	}
	list, err := after.list()
	settings := noteSettings{unsigned: !p.guard.enabled, keeping: !p.deletion.allowed}
	return setNotePrefix(p.branch, p.Target.SeenChain.Modified, settings) + list.StateID(), err
}
