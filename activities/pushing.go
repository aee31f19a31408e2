package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

var (
	// ErrNotFastForward says that the destination has commits that the source has not, and the
	// policy is not to overwrite them.
	ErrNotFastForward = errors.New("not a fast-forward")
	// ErrTipMoved says that the branch may be at something newer than the run's objects.
	ErrTipMoved = errors.New("the branch and the bucket have moved since the objects were downloaded")
	// ErrNotAllowed says that the consumer is not to touch the project.
	ErrNotAllowed = errors.New("destination is not in ALLOWED_DESTINATIONS")
)

// push is one run of the step of that name. The branch moves once, to the last bundle's commit, in one transaction
// with the memory. What comes before goes to a ref of ours.
type push struct {
	Target
	Bundles       []archive.Bundle
	Destination   project.Branch
	AllowRollback bool
	destinationState
	consumer *Consumer
	run      staging.Run
	meter    *meter
	probe    string // the ref that prove has written; "" before
	warning  string
	// rolledBack tells that the operator's word was needed.
	rolledBack bool
}

func (p *push) do(ctx context.Context) error {
	if err := p.consumer.checkClock(p.made()); err != nil {
		return err
	}
	if err := p.heal(ctx); err != nil {
		return err
	}
	if err := p.check(ctx); err != nil {
		return err
	}
	if err := p.move(ctx); err != nil {
		return p.giveUp(ctx, err)
	}
	return p.verify(ctx)
}

// made is when the manifest was made that decides what the branch becomes.
func (p *push) made() time.Time {
	if len(p.Bundles) == 0 {
		return p.AtTip.CreatedAt
	}
	return p.Bundles[len(p.Bundles)-1].CreatedAt
}

// check refuses what must not be pushed. A branch that is at its commit is not taken back by an old object.
func (p *push) check(ctx context.Context) error {
	replayed := p.memory.check(p.made())
	p.rolledBack = p.AllowRollback && replayed != nil
	if p.tip == p.Commit {
		return nil
	}
	if err := p.checkNewer(ctx); err != nil || p.AllowRollback {
		return err
	}
	return replayed
}

// checkNewer refuses objects that are older than what the branch is at, as those of a worker that was held up. The branch has
// been read: if the bucket has nothing newer now, nobody can have put anything newer there, and whoever else
// has moved the branch is overruled. If it has, the branch must be where it was, and not have come back there.
func (p *push) checkNewer(ctx context.Context) error {
	for o, err := range since(ctx, p.consumer.Bucket, p.Destination, p.Follows) {
		switch {
		case err != nil:
			return err
		case p.Follows.Overtakes(o, "") && (p.tip != p.SeenTip || p.tip == o.Commit):
			return fmt.Errorf("%w: it was at %q and is at %q, and %q was uploaded %s", ErrTipMoved, p.SeenTip, p.tip, o.Key, o.Modified.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// move brings what the destination lacks, and then moves the branch. With the last pack the branch may move
// at once, unless something has to be known first that only the destination can tell.
func (p *push) move(ctx context.Context) error {
	next, last := max(reached(p.Bundles, p.tip), reached(p.Bundles, p.incoming)), len(p.Bundles)-1
	descent := p.consumer.FastForwardOnly && p.tip != "" && p.tip != p.Commit
	proof := !p.memory.proven() && p.tip != p.Commit
	for ; next < last || next == last && (descent || proof); next++ {
		if err := p.bring(ctx, next); err != nil {
			return err
		}
	}
	if descent {
		if err := p.checkDescent(ctx); err != nil {
			return err
		}
	}
	if proof {
		if err := p.prove(ctx); err != nil {
			return err
		}
	}
	return p.moveBranch(ctx, next)
}

// bring sends a pack, and has our ref point to its commit.
func (p *push) bring(ctx context.Context, i int) error {
	commit := p.Bundles[i].Commit
	err := p.send(ctx, i, smarthttp.RefUpdate{Ref: incomingRef(p.Destination), Old: p.incoming, New: commit})
	if err == nil {
		p.incoming = commit
	}
	return err
}

// checkDescent asks the destination, which has all commits by now, whether they lead back to the branch's
// tip.
func (p *push) checkDescent(ctx context.Context) error {
	descends, err := p.consumer.Destination.Descends(ctx, p.Destination.Path(), p.Commit, p.tip)
	if err == nil && !descends {
		err = fmt.Errorf("%w: the destination is at %s, which the source's %s does not lead back to", ErrNotFastForward, p.tip, p.Commit)
	}
	return err
}

// prove has the destination show that it keeps the memory, before the branch moves for the first time: a ref of the same
// kind, that stands for no object, is written and read back.
func (p *push) prove(ctx context.Context) error {
	probe := p.memory.at(time.Unix(0, 0))
	if err := p.update(ctx, smarthttp.RefUpdate{Ref: probe, New: p.Commit}); err != nil {
		return err
	}
	p.probe = probe
	now, err := p.consumer.state(ctx, p.Destination)
	if err != nil {
		return err
	}
	if now.memory.ref == "" {
		return fmt.Errorf("%w: %s was taken but is not shown", ErrOwnRefs, probe)
	}
	p.memory = now.memory
	return nil
}

// moveBranch moves the branch and the memory, and removes what was incoming, all or nothing.
func (p *push) moveBranch(ctx context.Context, next int) error {
	var updates []smarthttp.RefUpdate
	if p.tip != p.Commit {
		updates = append(updates, smarthttp.RefUpdate{Ref: p.Destination.Ref(), Old: p.tip, New: p.Commit})
	}
	updates = append(updates, p.memory.remember(p.remembered(), p.note(), p.Commit)...)
	if p.incoming != "" {
		updates = append(updates, smarthttp.RefUpdate{Ref: incomingRef(p.Destination), Old: p.incoming})
	}
	switch {
	case len(updates) == 0:
		return nil
	case next < len(p.Bundles):
		return p.send(ctx, next, updates...)
	default:
		return p.update(ctx, updates...)
	}
}

// remembered is the time that the memory is to have: only an operator takes it back.
func (p *push) remembered() time.Time {
	if made := p.made(); p.AllowRollback || p.memory.ref == "" || made.After(p.memory.last) {
		return made
	}
	return p.memory.last
}

func (p *push) note() string {
	if p.Follows.Modified.IsZero() {
		return ""
	}
	return objectRef(p.Destination, p.Follows.Modified)
}

// verify reads the refs once more: what a destination answers is not yet what it has.
func (p *push) verify(ctx context.Context) error {
	now, err := p.consumer.state(ctx, p.Destination)
	switch {
	case err != nil:
		return err
	case now.tip != p.Commit:
		return fmt.Errorf("%w: it is at %q instead of %s", ErrTipDiffers, now.tip, p.Commit)
	case now.memory.keep && now.memory.ref != p.memory.at(p.remembered()):
		return fmt.Errorf("%w: it moved the branch, and shows %q instead of %s", ErrOwnRefs, now.memory.ref, p.memory.at(p.remembered()))
	}
	return nil
}

// update moves refs to what the destination has.
func (p *push) update(ctx context.Context, updates ...smarthttp.RefUpdate) error {
	err := p.consumer.Destination.Push(ctx, smarthttp.PushRequest{
		Repo: p.Destination.Path(), RefUpdate: updates[0], Also: updates[1:],
		Pack: bytes.NewReader(smarthttp.EmptyPack), PackSize: int64(len(smarthttp.EmptyPack)),
	})
	return p.explain(ctx, archive.Bundle{}, err)
}

// heldByRef tells whether one of the destination's refs is at the commit: then it has all that leads to it.
func (p *push) heldByRef(commit string) bool {
	return slices.Contains([]string{p.tip, p.incoming}, commit)
}
