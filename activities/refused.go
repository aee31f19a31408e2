package activities

import (
	"bytes"
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

// explain tells refusals apart that the server words alike. B is the bundle that was sent.
func (p *push) explain(ctx context.Context, b archive.Bundle, err error) error {
	if moved, ok := errors.AsType[*smarthttp.MovedError](err); ok {
		return p.explainMoved(ctx, moved, err)
	}
	refused, ok := errors.AsType[*smarthttp.RefusedError](err)
	if !ok {
		return err
	}
	now, tipErr := p.consumer.tip(ctx, p.Destination)
	if tipErr == nil && now != p.tip && now != p.Commit {
		return fmt.Errorf("%w: %w", &smarthttp.MovedError{Ref: p.Destination.Ref(), Expected: p.tip, Tip: now}, err)
	}
	if p.overtaken(ctx, refused.Ref) {
		return errors.New(err.Error()) // no rule of the server's: the next attempt reads anew
	}
	lacks := errors.Is(err, smarthttp.ErrMissingObjects) || refused.Unexplained()
	switch {
	case b.Base != "" && lacks && !p.heldByRef(b.Base):
		return fmt.Errorf("%w: %w", ErrBaseMissing, err)
	case refused.ByHook() && strings.HasPrefix(refused.Ref, ownRefs) && p.forbidden(ctx):
		return fmt.Errorf("%w: %w", ErrOwnRefs, err)
	}
	return err
}

// explainMoved is about a ref that was not where it had been seen. One that is still seen there, and that is there for reads
// or for pushes only, has not moved: it is hidden from the others.
func (p *push) explainMoved(ctx context.Context, moved *smarthttp.MovedError, err error) error {
	seen, readErr := p.consumer.Destination.Refs(ctx, p.Destination.Path(), moved.Ref)
	oneSided := moved.Expected == "" || moved.Tip == ""
	branch := moved.Ref == p.Destination.Ref()
	text := errors.New(err.Error()) // not as if the branch had moved
	switch {
	case readErr == nil && seen[moved.Ref] == moved.Expected && oneSided:
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

// overtaken tells whether a ref of ours is no longer where it was seen, as after a push that is still at work there although its
// worker is gone.
func (p *push) overtaken(ctx context.Context, ref string) bool {
	if !strings.HasPrefix(ref, ownRefs) {
		return false
	}
	before := cmp.Or(p.memory.objects[ref], p.unwanted[ref])
	switch ref {
	case incomingRef(p.Destination):
		before = p.incoming
	case p.memory.ref:
		before = p.memory.commit
	}
	now, err := p.consumer.Destination.Refs(ctx, p.Destination.Path(), ref)
	return err == nil && now[ref] != before
}

// forbidden tells whether a hook refuses refs of ours whatever is in them: not even what the branch has already.
func (p *push) forbidden(ctx context.Context) bool {
	if p.tip == "" {
		return false
	}
	probe := strings.TrimSuffix(incomingRef(p.Destination), "tip") + "probe"
	request := smarthttp.PushRequest{
		Repo: p.Destination.Path(), RefUpdate: smarthttp.RefUpdate{Ref: probe, New: p.tip},
		Pack: bytes.NewReader(smarthttp.EmptyPack), PackSize: int64(len(smarthttp.EmptyPack)),
	}
	err := p.consumer.Destination.Push(ctx, request)
	if err == nil {
		request.RefUpdate = smarthttp.RefUpdate{Ref: probe, Old: p.tip}
		_ = p.consumer.Destination.Push(ctx, request) // what is left of it the next push removes
	}
	refused, ok := errors.AsType[*smarthttp.RefusedError](err)
	return ok && refused.ByHook()
}

// giveUp removes what a push has brought in vain. Failures that may pass leave it for the next attempt.
func (p *push) giveUp(ctx context.Context, err error) error {
	var vain []smarthttp.RefUpdate
	if p.incoming != "" {
		vain = append(vain, smarthttp.RefUpdate{Ref: incomingRef(p.Destination), Old: p.incoming})
	}
	if p.probe != "" {
		vain = append(vain, smarthttp.RefUpdate{Ref: p.probe, Old: p.Commit})
	}
	if len(vain) == 0 || !final(err) {
		return err
	}
	removal := smarthttp.PushRequest{Repo: p.Destination.Path(), RefUpdate: vain[0], Also: vain[1:]}
	// Not joined: it must not hide why the push failed.
	if failed := p.consumer.Destination.Push(ctx, removal); failed != nil {
		return fmt.Errorf("%w (and %s could not be removed: %v)", err, vain[0].Ref, failed)
	}
	return err
}

// final tells the failures of a push that will be the same when it is tried again.
func final(err error) bool {
	if isAny(err, ErrOwnRefs, ErrNotFastForward, smarthttp.ErrHiddenRef) {
		return true
	}
	_, refused := errors.AsType[*smarthttp.RefusedError](err)
	return refused && !errors.Is(err, smarthttp.ErrUnpack) && !errors.Is(err, ErrBaseMissing) && !moved(err)
}

func moved(err error) bool {
	_, ok := errors.AsType[*smarthttp.MovedError](err)
	return ok
}
