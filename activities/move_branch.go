package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
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
// with the replay guard. The packs before the last go to a ref of ours.
type push struct {
	PushInput
	destination
	allowRollback, fastForwardOnly bool

	bucket  *bucket.Bucket
	run     staging.Run
	meter   *meter
	probe   string // the ref that proveGuard has written; "" before
	warning string
	// rolledBack tells that the operator's word was needed.
	rolledBack bool
}

func (p *push) execute(ctx context.Context) error {
	if err := p.removeUnwanted(ctx); err != nil {
		return err
	}
	if err := p.check(ctx); err != nil {
		return err
	}
	if err := p.sendAndMove(ctx); err != nil {
		return p.discardSent(ctx, err)
	}
	return p.verify(ctx)
}

// manifestTime is when the manifest was made that decides what the branch becomes.
func (p *push) manifestTime() time.Time {
	if len(p.Bundles) == 0 {
		return p.Target.AtTip.CreatedAt
	}
	return p.Bundles[len(p.Bundles)-1].CreatedAt
}

// check refuses what must not be pushed. A branch that is at its commit is not taken back by an old object.
func (p *push) check(ctx context.Context) error {
	replayed := p.guard.refuseOlder(p.manifestTime())
	p.rolledBack = p.allowRollback && replayed != nil
	if p.tip == p.Target.Commit {
		return nil
	}
	if err := p.checkNewer(ctx); err != nil || p.allowRollback {
		return err
	}
	return replayed
}

// checkNewer refuses objects that are older than what the branch is at, as those of a worker that was held up. The branch has
// been read: if the bucket has nothing newer now, nobody can have put anything newer there, and whoever else
// has moved the branch is overruled. If it has, the branch must be where it was, and not have come back there.
func (p *push) checkNewer(ctx context.Context) error {
	for o, err := range objectsSince(ctx, p.bucket, p.branch, p.Target.SeenChain) {
		switch {
		case err != nil:
			return err
		case p.Target.SeenChain.OvertakenBy(o, "") && (p.tip != p.Target.SeenTip || p.tip == o.Commit):
			return fmt.Errorf("%w: it was at %q and is at %q, and %q was uploaded %s", ErrTipMoved, p.Target.SeenTip, p.tip, o.Key, o.Modified.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// sendAndMove brings what the destination lacks, and then moves the branch. With the last pack the branch may move
// at once, unless something has to be known first that only the destination can tell.
func (p *push) sendAndMove(ctx context.Context) error {
	next, last := max(countSent(p.Bundles, p.tip), countSent(p.Bundles, p.incoming)), len(p.Bundles)-1
	descent := p.fastForwardOnly && p.tip != "" && p.tip != p.Target.Commit
	proof := !p.guard.proven() && p.tip != p.Target.Commit
	for ; next < last || next == last && (descent || proof); next++ {
		if err := p.sendAhead(ctx, next); err != nil {
			return err
		}
	}
	if descent {
		if err := p.checkDescent(ctx); err != nil {
			return err
		}
	}
	if proof {
		if err := p.proveGuard(ctx); err != nil {
			return err
		}
	}
	return p.moveBranch(ctx, next)
}

// sendAhead sends a pack ahead of the branch, and has our ref point to its commit.
func (p *push) sendAhead(ctx context.Context, i int) error {
	commit := p.Bundles[i].Commit
	err := p.send(ctx, i, smarthttp.RefUpdate{Ref: p.incomingRef(), Old: p.incoming, New: commit})
	if err == nil {
		p.incoming = commit
	}
	return err
}

// checkDescent asks the destination, which has all commits by now, whether they lead back to the branch's
// tip.
func (p *push) checkDescent(ctx context.Context) error {
	descends, err := p.forge.Descends(ctx, p.branch.Path(), p.Target.Commit, p.tip)
	if err == nil && !descends {
		err = fmt.Errorf("%w: the destination is at %s, which the source's %s does not lead back to", ErrNotFastForward, p.tip, p.Target.Commit)
	}
	return err
}

// proveGuard has the destination show that it keeps the replay guard, before the branch moves for the first time: a ref of the same
// kind, that stands for no object, is written and read back.
func (p *push) proveGuard(ctx context.Context) error {
	probe := p.guard.refAt(time.Unix(0, 0))
	if err := p.updateAndClassify(ctx, smarthttp.RefUpdate{Ref: probe, New: p.Target.Commit}); err != nil {
		return err
	}
	p.probe = probe
	now, err := p.reread(ctx)
	if err != nil {
		return err
	}
	if now.guard.ref == "" {
		return fmt.Errorf("%w: %s was taken but is not shown", ErrOwnRefs, probe)
	}
	p.guard = now.guard
	return nil
}

// moveBranch moves the branch and the replay guard, and removes what was incoming, all or nothing.
func (p *push) moveBranch(ctx context.Context, next int) error {
	var updates []smarthttp.RefUpdate
	if p.tip != p.Target.Commit {
		updates = append(updates, smarthttp.RefUpdate{Ref: p.branch.Ref(), Old: p.tip, New: p.Target.Commit})
	}
	updates = append(updates, p.guard.updatesFor(p.guardTime(), p.newestObjectRef(), p.Target.Commit)...)
	if p.incoming != "" {
		updates = append(updates, smarthttp.RefUpdate{Ref: p.incomingRef(), Old: p.incoming})
	}
	switch {
	case len(updates) == 0:
		return nil
	case next < len(p.Bundles):
		return p.send(ctx, next, updates...)
	default:
		return p.updateAndClassify(ctx, updates...)
	}
}

// guardTime is the time that the replay guard is to have: only an operator takes it back.
func (p *push) guardTime() time.Time {
	if made := p.manifestTime(); p.allowRollback || p.guard.ref == "" || made.After(p.guard.applied) {
		return made
	}
	return p.guard.applied
}

func (p *push) newestObjectRef() string {
	if p.Target.SeenChain.Modified.IsZero() {
		return ""
	}
	return objectRef(p.branch, p.Target.SeenChain.Modified)
}

// verify reads the refs once more: what a destination answers is not yet what it has.
func (p *push) verify(ctx context.Context) error {
	now, err := p.reread(ctx)
	switch {
	case err != nil:
		return err
	case now.tip != p.Target.Commit:
		return fmt.Errorf("%w: it is at %q instead of %s", ErrTipDiffers, now.tip, p.Target.Commit)
	case now.guard.enabled && now.guard.ref != p.guard.refAt(p.guardTime()):
		return fmt.Errorf("%w: it moved the branch, and shows %q instead of %s", ErrOwnRefs, now.guard.ref, p.guard.refAt(p.guardTime()))
	}
	return nil
}

// updateAndClassify moves refs to what the destination has.
func (p *push) updateAndClassify(ctx context.Context, updates ...smarthttp.RefUpdate) error {
	return p.classify(ctx, archive.Bundle{}, p.updateRefs(ctx, updates...))
}
