package activities

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// maxHealings bounds how many pushes delete unwanted refs before a branch is pushed.
const maxHealings = 40

// heal deletes the refs that others have put where ours belong. Whoever may push to the destination may
// do that; it must not stop a branch for good.
func (p *push) heal(ctx context.Context) error {
	deleted, example := 0, ""
	for range maxHealings {
		if len(p.unwanted) == 0 {
			break
		}
		var removals []smarthttp.RefUpdate
		for _, ref := range slices.Sorted(maps.Keys(p.unwanted)) {
			removals = append(removals, smarthttp.RefUpdate{Ref: ref, Old: p.unwanted[ref]})
		}
		err := p.consumer.Destination.Push(ctx, smarthttp.PushRequest{Repo: p.Destination.Path(), RefUpdate: removals[0], Also: removals[1:]})
		if err != nil {
			return p.explain(ctx, archive.Bundle{}, err)
		}
		deleted, example = deleted+len(removals), removals[0].Ref
		if p.destinationState, err = p.consumer.state(ctx, p.Destination); err != nil {
			return err
		}
	}
	if deleted > 0 {
		p.warning = fmt.Sprintf("removed %d refs that someone else had put below %s/, such as %s", deleted, ownRefs, foreign.Quote(example, 300))
	}
	return nil
}
