package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

var (
	// ErrBaseMissing says that the destination could not complete an increment.
	ErrBaseMissing = errors.New("the destination lacks objects that the increment builds on")
	// ErrOwnRefs says that the destination does not take, keep or show the refs that the consumer needs there.
	ErrOwnRefs = errors.New("the destination hides or refuses " + ownRefs + "/")
)

// classify tells refusals apart that the server words alike. B is the bundle that was sent.
func (p *push) classify(ctx context.Context, b archive.Bundle, err error) error {
	if moved, ok := errors.AsType[*smarthttp.MovedError](err); ok {
		return p.classifyMoved(ctx, moved, err)
	}
	refused, ok := errors.AsType[*smarthttp.RefusedError](err)
	if !ok {
		return err
	}
	now, tipErr := p.commitOf(ctx, p.branch.Ref())
	if tipErr == nil && now != p.tip && now != p.Target.Commit {
		return fmt.Errorf("%w: %w", &smarthttp.MovedError{Ref: p.branch.Ref(), Expected: p.tip, Tip: now}, err)
	}
	if p.hasMoved(ctx, refused.Ref) {
		return errors.New(err.Error()) // no rule of the server's: the next attempt reads anew
	}
	lacks := errors.Is(err, smarthttp.ErrMissingObjects) || refused.Unexplained()
	switch {
	case b.Base != "" && lacks && !p.hasRefAt(b.Base):
		return fmt.Errorf("%w: %w", ErrBaseMissing, err)
	case refused.ByHook() && strings.HasPrefix(refused.Ref, ownRefs) && p.refusesOwnRefs(ctx):
		return fmt.Errorf("%w: %w", ErrOwnRefs, err)
	}
	return err
}

// classifyMoved is about a ref that was not where it had been seen. One that is still seen there, and that is there for reads
// or for pushes only, has not moved: it is hidden from the others.
func (p *push) classifyMoved(ctx context.Context, moved *smarthttp.MovedError, err error) error {
	seen, readErr := p.commitOf(ctx, moved.Ref)
	oneSided := moved.Expected == "" || moved.Tip == ""
	branch := moved.Ref == p.branch.Ref()
	text := errors.New(err.Error()) // not as if the branch had moved
	switch {
	case readErr == nil && seen == moved.Expected && oneSided:
		hidden := ErrOwnRefs
		if branch {
			hidden = smarthttp.ErrHiddenRef
		}
		return fmt.Errorf("%w: pushes do not see it as it is read: %w", hidden, text)
	case branch:
		return err
	}
	return text // another push of ours was at work, and the next attempt reads anew
}

// hasMoved tells whether a ref of ours is no longer where it was seen, as after a push that is still at work there although its
// worker is gone.
func (p *push) hasMoved(ctx context.Context, ref string) bool {
	if !strings.HasPrefix(ref, ownRefs) {
		return false
	}
	before := cmp.Or(p.guard.objects[ref], p.unwanted[ref])
	switch ref {
	case p.incomingRef():
		before = p.incoming
	case p.guard.ref:
		before = p.guard.commit
	}
	now, err := p.commitOf(ctx, ref)
	return err == nil && now != before
}

// refusesOwnRefs tells whether a hook refuses refs of ours whatever is in them: not even what the branch has already.
func (p *push) refusesOwnRefs(ctx context.Context) bool {
	if p.tip == "" {
		return false
	}
	probe := strings.TrimSuffix(p.incomingRef(), "tip") + "probe"
	err := p.updateRefs(ctx, smarthttp.RefUpdate{Ref: probe, New: p.tip})
	if err == nil {
		_ = p.deleteRefs(ctx, smarthttp.RefUpdate{Ref: probe, Old: p.tip}) // what is left of it the next push removes
	}
	refused, ok := errors.AsType[*smarthttp.RefusedError](err)
	return ok && refused.ByHook()
}

// discardSent removes what a failed push has brought in vain. Failures that may pass leave it for the next attempt.
func (p *push) discardSent(ctx context.Context, err error) error {
	var vain []smarthttp.RefUpdate
	if p.incoming != "" {
		vain = append(vain, smarthttp.RefUpdate{Ref: p.incomingRef(), Old: p.incoming})
	}
	if p.probe != "" {
		vain = append(vain, smarthttp.RefUpdate{Ref: p.probe, Old: p.Target.Commit})
	}
	if len(vain) == 0 || !isFinal(err) {
		return err
	}
	// Not joined: it must not hide why the push failed.
	if failed := p.deleteRefs(ctx, vain...); failed != nil {
		return fmt.Errorf("%w (and %s could not be removed: %v)", err, vain[0].Ref, failed)
	}
	return err
}

// isFinal tells the failures of a push that will be the same when it is tried again.
func isFinal(err error) bool {
	if isAnyOf(err, ErrOwnRefs, ErrNotFastForward, smarthttp.ErrHiddenRef) {
		return true
	}
	_, refused := errors.AsType[*smarthttp.RefusedError](err)
	return refused && !errors.Is(err, smarthttp.ErrUnpack) && !errors.Is(err, ErrBaseMissing) && !isMoved(err)
}

func isMoved(err error) bool {
	_, ok := errors.AsType[*smarthttp.MovedError](err)
	return ok
}
