package activities

import (
	"context"
	"slices"
)

// Prune deletes the objects that newer ones have replaced, and the orphans that the plan
// found. It reads the bucket anew, so that only what is superseded now is deleted, and
// returns the keys.
func (p *Producer) Prune(ctx context.Context, orphans []string) ([]string, error) {
	defer startMeter(ctx, 0).stop()
	chains, _, err := listChains(ctx, p.Bucket)
	if err != nil {
		return nil, err
	}
	keys := slices.Clone(orphans)
	for _, c := range chains {
		for _, o := range c.Superseded {
			keys = append(keys, o.Name)
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	return keys, p.Bucket.Delete(ctx, keys...)
}
