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

// maxRemovals bounds how many pushes delete unwanted refs before a branch is pushed.
const maxRemovals = 40

// removeUnwanted deletes refs that others put where ours belong. Anyone who may push to the destination can do that,
// and it must not stop a branch for good.
func (p *push) removeUnwanted(ctx context.Context) error {
	deleted, example := 0, ""
	for range maxRemovals {
		if len(p.unwanted) == 0 {
			break
		}
		var removals []smarthttp.RefUpdate
		for _, ref := range slices.Sorted(maps.Keys(p.unwanted)) {
			removals = append(removals, smarthttp.RefUpdate{Ref: ref, Old: p.unwanted[ref]})
		}
		err := p.deleteRefs(ctx, removals...)
		if err != nil {
			return p.classify(ctx, archive.Bundle{}, err)
		}
		others := slices.DeleteFunc(removals, func(r smarthttp.RefUpdate) bool { return r.Ref == p.createdRef() })
		if deleted += len(others); len(others) > 0 {
			example = others[0].Ref
		}
		if p.destination, err = p.reread(ctx); err != nil {
			return err
		}
	}
	if deleted > 0 {
		p.warning = fmt.Sprintf("removed %d refs that someone else had put below %s/, such as %s", deleted, ownRefs, foreign.Quote(example, 300))
	}
	return nil
}
