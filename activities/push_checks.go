package activities

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNotFastForward says that the destination has commits that the source does not have, and the policy is not to
	// drop them.
	ErrNotFastForward = errors.New("not a fast-forward")
	// ErrTipMoved says that the branch may be at something newer than the run's objects.
	ErrTipMoved = errors.New("the branch and the bucket have moved since the objects were downloaded")
	// ErrNotAllowed says that the consumer must not push to the project.
	ErrNotAllowed = errors.New("destination is not in ALLOWED_DESTINATIONS")
)

// manifestTime is the creation time of the manifest that decides what the branch becomes.
func (p *push) manifestTime() time.Time {
	if len(p.Bundles) == 0 {
		return p.Target.AtTip.CreatedAt
	}
	return p.Bundles[len(p.Bundles)-1].CreatedAt
}

// check refuses what must not be pushed. A branch that is at its commit already is accepted, also with an old object.
func (p *push) check(ctx context.Context) error {
	replayed := p.guard.refuseOlder(p.manifestTime())
	p.rolledBack = p.allowRollback && replayed != nil
	if p.tip == p.Target.Commit {
		return nil
	}
	if err := p.checkNewer(ctx); err != nil {
		return err
	}
	if replayed != nil && !p.allowRollback {
		return replayed
	}
	if p.fastForwardOnly && p.branch.IsTag() && p.tip != "" {
		return fmt.Errorf("%w: a tag that is there does not move: the destination's is at %s, the source's at %s", ErrNotFastForward, p.tip, p.Target.Commit)
	}
	return nil
}

// checkNewer refuses objects that are older than the branch's commit, such as those of a worker that was suspended.
// It runs after the branch was read. If the bucket has nothing newer now, no run can have pushed anything newer, and
// anyone else who moved the branch is overruled. If it has something newer, the branch must be where it was when the
// objects were chosen, and must not be at the newer object's commit.
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

// checkDescent asks the destination, which has all commits by now, whether the branch's tip is in their history.
func (p *push) checkDescent(ctx context.Context) error {
	descends, err := p.forge.Descends(ctx, p.branch.Path(), p.Target.Commit, p.tip)
	if err == nil && !descends {
		err = fmt.Errorf("%w: the destination is at %s, which the source's %s does not lead back to", ErrNotFastForward, p.tip, p.Target.Commit)
	}
	return err
}

// guardTime is the replay guard's new time. It only goes back if the operator allows it.
func (p *push) guardTime() time.Time {
	if made := p.manifestTime(); p.allowRollback || made.After(p.guard.applied) {
		return made
	}
	return p.guard.applied
}

// verify reads the refs again, because a destination's answer to a push does not prove what it stored.
func (p *push) verify(ctx context.Context) error {
	now, err := p.reread(ctx)
	switch {
	case err != nil:
		return err
	case now.tip != p.Target.Commit:
		return fmt.Errorf("%w: it is at %q instead of %s", ErrTipDiffers, now.tip, p.Target.Commit)
	}
	return now.verifyGuard(p.guardTime(), "the branch")
}

// verifyGuard tells why the destination does not show the replay guard that a push has made. One of the future does not count: this
// clock was put back meanwhile.
func (d destination) verifyGuard(made time.Time, moved string) error {
	want := d.guard.refAt(made)
	if !d.guard.enabled || d.guard.ref == want {
		return nil
	}
	if err := checkFuture(made, d.now()); err != nil {
		return err
	}
	return fmt.Errorf("%w: it moved %s, and shows %q instead of %s", ErrOwnRefs, moved, d.guard.ref, want)
}
