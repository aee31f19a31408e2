package activities

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

var (
	// ErrBaseMissing says that the destination could not complete an increment.
	ErrBaseMissing = errors.New("the destination lacks objects that the increment builds on")
	// ErrOwnRefs says that the destination does not accept, keep or show the consumer's own refs.
	ErrOwnRefs = errors.New("the destination hides or refuses " + ownRefs + "/")
)

// classify tells refusals apart that the server words alike. B is the bundle that was sent.
func (p *push) classify(ctx context.Context, b archive.Bundle, err error) error {
	if moved, ok := errors.AsType[*smarthttp.MovedError](err); ok && !p.isSeen {
		return p.classifyMoved(ctx, moved, err)
	}
	refused, ok := errors.AsType[*smarthttp.RefusedError](err)
	if !ok {
		return err
	}
	if locked := lockedRef.FindStringSubmatch(refused.Error()); p.isSeen && locked != nil {
		// It may be blocked by a ref that was not there yet when Download read them, and that a push removes.
		return fmt.Errorf("%w: %w", &smarthttp.MovedError{Ref: locked[1], Expected: p.ownRefAt(locked[1])}, err)
	}
	p.lacksLFS = p.lacksLFS || errors.Is(err, smarthttp.ErrMissingLFS)
	if p.set == nil {
		now, tipErr := p.commitOf(ctx, p.branch.Ref())
		if tipErr == nil && now != p.tip && now != p.Target.Commit {
			return fmt.Errorf("%w: %w", &smarthttp.MovedError{Ref: p.branch.Ref(), Expected: p.tip, Tip: now}, err)
		}
	}
	if slices.ContainsFunc(blamed(refused), func(ref string) bool { return p.hasMoved(ctx, ref) }) {
		return errors.New(err.Error()) // not refused by a rule: the next attempt reads the refs again
	}
	lacks := errors.Is(err, smarthttp.ErrMissingObjects) || refused.Unexplained()
	switch {
	case b.Base != "" && lacks && !p.hasRefAt(b.Base), b.Commit == "" && lacks && p.set != nil && !p.wholeChain:
		return fmt.Errorf("%w: %w", ErrBaseMissing, err)
	case refused.ByHook() && strings.HasPrefix(refused.First().Ref, ownRefs) && p.refusesOwnRefs(ctx):
		return fmt.Errorf("%w: %w", ErrOwnRefs, err)
	}
	return err
}

// classifyMoved classifies a push that was not sent because a ref was not where it had been read. If reads and pushes
// see different things, and one of them sees no ref at all, the ref has not moved: the server hides it from reads or
// from pushes.
func (p *push) classifyMoved(ctx context.Context, moved *smarthttp.MovedError, err error) error {
	seen, readErr := p.commitOf(ctx, moved.Ref)
	oneSided := moved.Expected == "" || moved.Tip == ""
	branch := !strings.HasPrefix(moved.Ref, ownRefs+"/")
	text := errors.New(err.Error()) // without MovedError, which would mean that the branch moved
	switch {
	case readErr == nil && seen == moved.Expected && oneSided && p.staysUnseen(ctx, moved):
		hidden := ErrOwnRefs
		if branch {
			hidden = smarthttp.ErrHiddenRef
		}
		return fmt.Errorf("%w: pushes do not see it as it is read: %w", hidden, text)
	case branch:
		return err
	}
	return text // another push of ours is running: the next attempt reads the refs again
}

// staysUnseen tells whether pushes still see a ref as they did, after it was read to be as it had been before. Else it was moved there
// and back, as one that another push of ours makes and removes again.
func (p *push) staysUnseen(ctx context.Context, moved *smarthttp.MovedError) bool {
	tip, err := p.forge.PushedTip(ctx, p.branch.Path(), moved.Ref)
	return err == nil && tip == moved.Tip
}

// lockedRef finds the ref of ours that git could not change: it refuses all refs of a transaction for that, the branch first.
var lockedRef = regexp.MustCompile(`cannot lock ref '(` + ownRefs + `/[^']+)'`)

// blamed are the refs that may be why a push was refused.
func blamed(refused *smarthttp.RefusedError) []string {
	refs := []string{refused.First().Ref}
	for _, match := range lockedRef.FindAllStringSubmatch(refused.Error(), 4) {
		refs = append(refs, match[1])
	}
	return refs
}

// hasMoved tells whether one of our refs is no longer where it was read. That happens when the push of a worker that
// is gone still runs on the server.
func (p *push) hasMoved(ctx context.Context, ref string) bool {
	if !strings.HasPrefix(ref, ownRefs) {
		return false
	}
	now, err := p.commitOf(ctx, ref)
	return err == nil && now != p.ownRefAt(ref)
}

// refusesOwnRefs tells whether a hook refuses our refs whatever they contain: it tries one with an object that the
// destination has already.
func (p *push) refusesOwnRefs(ctx context.Context) bool {
	object := p.anyObject()
	if object == "" {
		return false
	}
	probe := p.ownFolder() + "probe"
	err := p.updateRefs(ctx, smarthttp.RefUpdate{Ref: probe, New: object})
	if err == nil {
		_ = p.deleteRefs(ctx, smarthttp.RefUpdate{Ref: probe, Old: object}) // if that fails, the next push removes it
	}
	refused, ok := errors.AsType[*smarthttp.RefusedError](err)
	return ok && refused.ByHook()
}

// discardSent deletes the refs that a failed push created. If the failure may pass, they stay for the next attempt.
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
	// Only as text: it must not hide why the push failed.
	if failed := p.deleteRefs(ctx, vain...); failed != nil {
		return fmt.Errorf("%w (and %s could not be removed: %v)", err, vain[0].Ref, failed)
	}
	return err
}

// resendForLFS has a set's objects sent anew in the next run, after the destination has refused refs because it lacks LFS
// objects: these come with the packs.
func (p *push) resendForLFS(ctx context.Context, err error) error {
	if err == nil || !p.lacksLFS || p.incoming == "" {
		return err
	}
	// Only as text: it must not hide why the push failed.
	sent := smarthttp.RefUpdate{Ref: stateRef(p.branch, p.incoming), Old: p.incomingObject}
	if failed := p.deleteRefs(ctx, sent); failed != nil {
		return fmt.Errorf("%w (and %s could not be removed: %v)", err, sent.Ref, failed)
	}
	return err
}

// isFinal tells failures of a push that will be the same when it is tried again.
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
