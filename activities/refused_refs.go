package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// ErrMassDeletion says that the source has lost more refs at once than may be deleted.
var ErrMassDeletion = errors.New("too many refs would be deleted at once")

const (
	// maxApart bounds the pushes that find out which refs a destination refuses. What is left then is tried again in the
	// next run.
	maxApart = 100
	// maxNamed is how many refs a message names.
	maxNamed = 20
)

// refusedRefsError says which refs of a set are not as the source has them. All others are.
type refusedRefsError struct {
	refused map[string]string // the reasons
	of      int               // refs of the set
}

func (e *refusedRefsError) Error() string {
	return fmt.Sprintf("%d of %d refs were refused: %s", len(e.refused), e.of, describeRefused(e.refused))
}

// describeRefused names the first refs, those with the same reason together.
func describeRefused(refused map[string]string) string {
	byReason := map[string][]string{}
	for _, ref := range slices.Sorted(maps.Keys(refused))[:min(len(refused), maxNamed)] {
		byReason[refused[ref]] = append(byReason[refused[ref]], foreign.Quote(ref, 100))
	}
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(byReason)) {
		parts = append(parts, strings.Join(byReason[reason], ", ")+": "+reason)
	}
	if more := len(refused) - maxNamed; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}

// isOfRefs tells whether a refusal is about the set's refs, so that others may be taken.
func (p *push) isOfRefs(refused *smarthttp.RefusedError) bool {
	return !isAnyOf(refused, smarthttp.ErrMissingObjects, smarthttp.ErrServerDiskFull, smarthttp.ErrUnpack)
}

// moveApart makes changes that the destination has refused as a whole, each for itself. The replay guard goes ahead of
// them, and shadows of what is made, too; those of what is deleted follow. So wherever it breaks off, no older object is
// taken, and what others have put there is not taken for the consumer's own.
func (p *push) moveApart(ctx context.Context, changes []refChange, first *smarthttp.RefusedError) error {
	if guard := p.guard.updatesFor(p.guardTime(), "", p.list[0].Object); len(guard) > 0 {
		if err := p.updateRefs(ctx, guard...); err != nil {
			return p.classify(ctx, archive.Bundle{}, err)
		}
	}
	reason := reasonOf(first, first.First())
	if err := p.tryApart(ctx, withShadowAhead(changes), refChange.shadowUpdate, reason); err != nil {
		return err
	}
	changes = p.notRefused(changes)
	if err := p.tryApart(ctx, changes, refChange.refUpdate, reason); err != nil {
		return err
	}
	return p.settleShadows(ctx, changes)
}

func (p *push) notRefused(changes []refChange) []refChange {
	return slices.DeleteFunc(slices.Clone(changes), func(c refChange) bool { return p.refused[c.ref] != "" })
}

// settleShadows makes shadows say what has become of the refs, after those that are made went ahead: what was deleted loses
// its shadow, and what was refused has the one that it had, so that it can still be deleted.
func (p *push) settleShadows(ctx context.Context, changes []refChange) error {
	made := p.notRefused(changes)
	if err := p.requireDeleted(ctx, made); err != nil {
		return err
	}
	updates := shadowsBehind(made)
	for _, c := range withShadowAhead(changes) {
		if p.refused[c.ref] != "" {
			updates = append(updates, smarthttp.RefUpdate{Ref: shadowOf(c.ref), Old: c.newShadow, New: c.oldShadow})
		}
	}
	if len(updates) == 0 {
		return nil
	}
	return p.classify(ctx, archive.Bundle{}, p.updateRefs(ctx, updates...))
}

// requireDeleted checks that refs are gone whose deletion the destination has accepted, as long as their shadows say who may
// delete them.
func (p *push) requireDeleted(ctx context.Context, changes []refChange) error {
	if !slices.ContainsFunc(changes, refChange.deletesRef) {
		return nil
	}
	now, err := p.reread(ctx)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.deletesRef() && now.set.at[c.ref] == c.old {
			return fmt.Errorf("%w: %s is at %q instead of deleted", ErrTipDiffers, foreign.Quote(c.ref, 100), c.old)
		}
	}
	return nil
}

// tryApart makes one update of each change without a transaction, and notes which are refused. A hook may refuse all because
// of one and not say because of which: then each half is tried.
func (p *push) tryApart(ctx context.Context, changes []refChange, updateOf func(refChange) smarthttp.RefUpdate, reason string) error {
	refs := map[string]string{} // whose update it is
	var updates []smarthttp.RefUpdate
	for _, c := range changes {
		if u := updateOf(c); u.Old != u.New {
			updates, refs[u.Ref] = append(updates, u), c.ref
		}
	}
	groups := [][]smarthttp.RefUpdate{updates}
	for n := 0; len(groups) > 0 && n < maxApart; n++ {
		group := groups[0]
		groups = groups[1:]
		if len(group) == 0 {
			continue
		}
		refused, err := p.pushApart(ctx, group)
		switch {
		case err != nil:
			return err
		case len(group) > 1 && isOfAll(refused, len(group)):
			reason = reasonOf(refused, refused.First())
			groups = append(groups, group[:len(group)/2], group[len(group)/2:])
		case refused != nil:
			for _, r := range refused.Refused {
				p.refused[refs[r.Ref]] = reasonOf(refused, r)
			}
		}
	}
	for _, u := range slices.Concat(groups...) {
		p.refused[refs[u.Ref]] = "refused together with others, and left for the next run: " + reason
	}
	return nil
}

// updateHookDeclined is what git says of a ref that the update hook has refused, which looks at each by itself.
const updateHookDeclined = "not updated: hook declined"

// isOfAll tells whether all of so many refs were refused for one reason, which may be that of another ref.
func isOfAll(refused *smarthttp.RefusedError, refs int) bool {
	if refused == nil || len(refused.Refused) < refs || refused.Refused[0].Reason == updateHookDeclined {
		return false
	}
	return !slices.ContainsFunc(refused.Refused, func(r smarthttp.RefRefusal) bool { return r.Reason != refused.Refused[0].Reason })
}

// pushApart makes updates, each for itself, and returns which were refused.
func (p *push) pushApart(ctx context.Context, updates []smarthttp.RefUpdate) (*smarthttp.RefusedError, error) {
	err := p.updateApart(ctx, updates...)
	refused, ok := errors.AsType[*smarthttp.RefusedError](err)
	if !ok || !p.isOfRefs(refused) {
		return nil, p.classify(ctx, archive.Bundle{}, err)
	}
	p.lacksLFS = p.lacksLFS || errors.Is(err, smarthttp.ErrMissingLFS)
	return refused, nil
}

// reasonOf is why a ref was refused, with what the hooks said.
func reasonOf(refused *smarthttp.RefusedError, r smarthttp.RefRefusal) string {
	reason := r.Reason
	if len(refused.Messages) > 0 {
		reason += ": " + strings.Join(refused.Messages, "; ")
	}
	return foreign.Line(reason, 400)
}
