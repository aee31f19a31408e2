package activities

import (
	"context"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// pruneLFS deletes LFS objects that nothing needs, up to room of them, and returns their keys and how many more it has seen.
// As other objects, each has to be as it was listed, or the project is left for the next cycle. The list of syncs is read
// anew just before, because a run of a project that is back would build on what it finds.
func (p *Producer) pruneLFS(ctx context.Context, contents bucketContents, absence plan.Absence, room int) (deleted []string, left int, err error) {
	rule, err := p.currentLFSRule(ctx, contents, absence)
	if err != nil {
		return nil, 0, err
	}
	unused, err := p.unusedLFS(ctx, rule)
	if err != nil {
		return nil, 0, err
	}
	for _, b := range unused {
		r := removal{destination: b}
		for o, err := range p.deletableLFS(ctx, b, rule) {
			switch {
			case err != nil:
				return deleted, left, err
			case len(r.unneeded) == room:
				left++
			default:
				r.unneeded = append(r.unneeded, object.Stored{Key: o.Key, Size: o.Size, Modified: o.Modified})
			}
		}
		verified, err := p.verify(ctx, []removal{r})
		if err != nil {
			return deleted, left, err
		}
		if rule, err = p.currentLFSRule(ctx, contents, absence); err != nil {
			return deleted, left, err
		}
		if !verified[0] || rule.unused == nil || !rule.unused(b.Path()) {
			left += len(r.unneeded)
			continue
		}
		keys := r.keys()
		if err := p.Bucket.Delete(ctx, keys...); err != nil {
			return deleted, left, err
		}
		deleted, room = append(deleted, keys...), room-len(keys)
	}
	return deleted, left, nil
}

// currentLFSRule reads the list of syncs for the rule.
func (p *Producer) currentLFSRule(ctx context.Context, contents bucketContents, absence plan.Absence) (lfsRule, error) {
	if !contents.lfs {
		return lfsRule{}, nil
	}
	syncs, err := p.listSyncs(ctx)
	if err != nil {
		return lfsRule{}, err
	}
	return p.lfsRule(contents, syncs, absence), nil
}
