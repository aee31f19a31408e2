package activities

import (
	"context"
	"iter"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/objectkey"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// since lists the objects of a destination that may have come since a plan was made, some older ones among them. Whatever a
// producer uploads is a snapshot, builds on a commit of the chain that was planned on, or builds on one of those:
// these are found by the beginnings of their keys, without listing the bucket.
func since(ctx context.Context, b *bucket.Bucket, destination project.Branch, planned plan.Follows) iter.Seq2[chain.Object, error] {
	return func(yield func(chain.Object, error) bool) {
		for _, base := range append([]string{""}, planned.Commits...) {
			prefix, err := objectkey.Prefix(destination, base)
			if err != nil {
				yield(chain.Object{}, err)
				return
			}
			for o, err := range b.List(ctx, prefix) {
				k, foreign := objectkey.Parse(o.Key)
				switch {
				case err != nil:
					yield(chain.Object{}, err)
					return
				case foreign != nil || k.Destination.Identity() != destination.Identity():
				case !yield(chain.Object{Key: k, Name: o.Key, Size: o.Size, Modified: o.Modified}, nil):
					return
				}
			}
		}
	}
}
