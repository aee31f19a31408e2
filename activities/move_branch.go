package activities

import (
	"context"
	"fmt"
	"time"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// push is one run of the step Push. The branch moves once, to the last bundle's commit, in one transaction with the
// replay guard. Earlier packs go to a ref of the consumer's. For a set of refs, see move_refs.go.
type push struct {
	PushInput
	destination
	*setPush                       // nil for a branch or tag
	allowRollback, fastForwardOnly bool
	// foundCommit is what the predecessor's archive has the branch at, where its key says another commit: the plan has to
	// be told, by a note. It is empty otherwise.
	foundCommit string

	bucket     *bucket.Bucket
	identities []age.Identity
	run        staging.Run
	meter      *meter
	isSeen     bool   // the destination is as Download has read it, and has not been read since
	probe      string // the ref that proveGuard has written; "" before
	warning    string
	// lacksLFS says that the destination has refused something because it lacks LFS objects.
	lacksLFS bool
	// rolledBack says that the push succeeds only because of allowRollback.
	rolledBack bool
}

func (p *push) execute(ctx context.Context) error {
	if err := p.removeUnwanted(ctx); err != nil {
		return err
	}
	if err := p.check(ctx); err != nil {
		return err
	}
	if err := p.groups.create(ctx); err != nil {
		return err
	}
	if p.set != nil {
		return p.resendForLFS(ctx, p.executeSet(ctx))
	}
	if err := p.sendAndMove(ctx); err != nil {
		return p.discardSent(ctx, err)
	}
	return p.verify(ctx)
}

// sendAndMove sends the packs that the destination lacks, and then moves the branch. The last pack moves the branch
// in the same push, unless the destination first has to answer a question about it.
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

// sendAhead sends a pack before the branch moves, and makes the incoming ref point to its commit.
func (p *push) sendAhead(ctx context.Context, i int) error {
	commit := p.Bundles[i].Commit
	err := p.send(ctx, i, smarthttp.RefUpdate{Ref: p.incomingRef(), Old: p.incoming, New: commit})
	if err == nil {
		p.incoming = commit
	}
	return err
}

// proveGuard checks, before the branch moves for the first time, that the destination keeps the replay guard: it
// writes a ref of the same kind that stands for no object, and reads it back.
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

// moveBranch moves the branch and the replay guard, and deletes the incoming ref, all in one transaction.
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

func (p *push) newestObjectRef() string {
	if p.Target.SeenChain.Modified.IsZero() || !p.guard.enabled && p.foundCommit == "" {
		return ""
	}
	return objectRef(p.branch, p.Target.SeenChain.Modified)
}

// updateAndClassify moves refs to commits that the destination has.
func (p *push) updateAndClassify(ctx context.Context, updates ...smarthttp.RefUpdate) error {
	return p.classify(ctx, archive.Bundle{}, p.updateRefs(ctx, updates...))
}
