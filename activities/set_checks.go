package activities

import (
	"context"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/refset"
)

// executeSet pushes a set of refs, and verifies what the destination has then.
func (p *push) executeSet(ctx context.Context) error {
	if err := p.sendAndMoveRefs(ctx); err != nil {
		return err
	}
	if err := p.verifySet(ctx); err != nil {
		return err
	}
	switch n := p.to.unwantedDeletions; {
	case n == 1:
		p.warn("1 ref that has gone at the source stays: " + p.deletion.why)
	case n > 1:
		p.warn(fmt.Sprintf("%d refs that have gone at the source stay: %s", n, p.deletion.why))
	}
	if p.to.keptDefault != "" {
		p.warn(fmt.Sprintf("%s has gone at the source, and stays: it is the destination's default branch", foreign.Quote(p.to.keptDefault, 100)))
	}
	err := p.unfinished()
	if err != nil {
		err = fmt.Errorf("%s; all else is as at the source: %w", p.summarize(), err)
	}
	return err
}

// unfinished says what the destination's refs lack to be as the source has them.
func (p *push) unfinished() (err error) {
	if p.to.massDeletion {
		err = fmt.Errorf("%w: of %d refs that were put there, %d have gone at the source, such as %s", ErrMassDeletion, p.to.shadowedTotal, len(p.to.kept), foreign.Quote(p.to.kept[0], 100))
	}
	if len(p.refused) > 0 {
		refused := error(&refusedRefsError{refused: p.refused, of: len(p.list)})
		if err == nil {
			return refused
		}
		return fmt.Errorf("%w; %w", refused, err)
	}
	return err
}

// verifySet reads the refs again, because a destination's answer to a push does not prove what it stored.
func (p *push) verifySet(ctx context.Context) (err error) {
	made := p.guardTime()
	if p.destination, err = p.reread(ctx); err != nil {
		return err
	}
	if err := p.verifyGuard(made, "refs"); err != nil {
		return err
	}
	for _, r := range p.list {
		ref := p.branch.RefFor(r.Part)
		if now := p.set.at[ref]; now != r.Object && p.refused[ref] == "" {
			return fmt.Errorf("%w: %s is at %q instead of %s", ErrTipDiffers, foreign.Quote(ref, 100), now, r.Object)
		}
	}
	for _, c := range p.to.changes {
		if now := p.set.at[c.ref]; c.new == "" && c.old != "" && now == c.old && p.refused[c.ref] == "" {
			return fmt.Errorf("%w: %s is at %q instead of deleted", ErrTipDiffers, foreign.Quote(c.ref, 100), now)
		}
	}
	return nil
}

// describe says what the push has done.
func (p *push) describe(pushed Pushed) string {
	if p.set == nil {
		return pushed.describe()
	}
	return fmt.Sprintf("%s: state %s, %s", p.summarize(), plan.Short(p.Target.Commit), humanize.Bytes(uint64(pushed.Size)))
}

// summarize counts the refs that have changed.
func (p *push) summarize() string {
	now, err := p.set.list()
	if err != nil {
		return "refs changed"
	}
	return refset.Diff(p.before, now).Summary(p.before, p.branch.Branch)
}

func (p *push) warn(text string) {
	p.warning = strings.TrimPrefix(p.warning+"; "+text, "; ")
}
