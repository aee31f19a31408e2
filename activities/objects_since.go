package activities

import (
	"context"
	"iter"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// objectsSince lists the objects of a destination that may have been uploaded since a plan was made, and some older
// ones. Whatever a producer uploads is a snapshot, or an increment on one of the planned chain's commits, or on one
// of those. Their keys have known prefixes, so the bucket need not be listed as a whole.
func objectsSince(ctx context.Context, b *bucket.Bucket, destination project.Branch, planned plan.ChainState) iter.Seq2[object.Stored, error] {
	return func(yield func(object.Stored, error) bool) {
		for _, base := range append([]string{""}, planned.Commits...) {
			prefix, err := object.KeyPrefix(destination, base)
			if err != nil {
				yield(object.Stored{}, err)
				return
			}
			for o, err := range b.List(ctx, prefix) {
				stored, foreign := object.NewStored(o.Key, o.Size, o.Modified)
				switch {
				case err != nil:
					yield(object.Stored{}, err)
					return
				case foreign != nil || stored.Destination.Identity() != destination.Identity():
				case !yield(stored, nil):
					return
				}
			}
		}
	}
}
