package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// maxForeign bounds how many unreadable keys are reported one by one.
const maxForeign = 20

// refusedBudget bounds what is kept of destinations that are not allowed, in bytes: their names are
// reported, nothing else.
const refusedBudget = 64 << 10

// selection says what is wanted of a bucket.
type selection struct {
	// first are the destinations that come before all others; nil for none.
	first func(project.Branch) bool
	// only is the one destination that is wanted, however it is spelled; nil for all.
	only  *project.Branch
	allow project.Allowlist
}

// contents are what a bucket holds, as far as it is wanted and fits into memory.
type contents struct {
	chains map[project.Branch]chain.Chain
	// covers tells for which destinations chains are complete.
	covers func(project.Branch) bool
	// failures are keys that are not ours, destinations that are not allowed, and what did not fit.
	failures []plan.Failure
	refused  int // destinations that are not allowed
}

// listChains reads the whole bucket. Keys that are not ours are reported and left alone.
func listChains(ctx context.Context, b *bucket.Bucket) (map[project.Branch]chain.Chain, []plan.Failure, error) {
	c, err := readBucket(ctx, b, turn.At(time.Now()), selection{allow: project.AllowAll()})
	return c.chains, c.failures, err
}

// readBucket lists the bucket. Whatever is in it, the memory that this takes is bounded.
func readBucket(ctx context.Context, b *bucket.Bucket, now turn.Turn, want selection) (contents, error) {
	wanted, refused := chain.NewInventory(now, want.first), chain.NewInventory(now, nil).Within(refusedBudget)
	var undecodable foreignKeys
	for o, err := range b.List(ctx, "") {
		if err != nil {
			return contents{}, err
		}
		stored, err := object.InBucket(o.Key, o.Size, o.Modified)
		switch {
		case err != nil:
			undecodable.add(o.Key, err)
		case want.only != nil && stored.Destination.Identity() != want.only.Identity():
		case !want.allow.Allows(stored.Destination):
			refused.Add(stored)
		default:
			wanted.Add(stored)
		}
	}
	c := contents{chains: wanted.Chains(), covers: wanted.Covers, failures: undecodable.failures()}
	for branch := range refused.Chains() {
		c.refused++
		c.failures = append(c.failures, plan.Failure{Subject: branch.String(), Kind: plan.KindNotAllowed, Reason: "the destination is not in ALLOWED_DESTINATIONS"})
	}
	if n := refused.LeftOut(); n > 0 {
		c.failures = append(c.failures, plan.Failure{Subject: "bucket", Kind: plan.KindNotAllowed,
			Reason: fmt.Sprintf("%d objects of further destinations that are not in ALLOWED_DESTINATIONS", n)})
	}
	if n := wanted.LeftOut(); n > 0 {
		c.failures = append(c.failures, plan.Failure{Subject: "bucket", Kind: plan.KindTooManyObjects,
			Reason: fmt.Sprintf("%d objects are of destinations that did not fit into this plan; each has its turn in a later one", n)})
	}
	return c, nil
}

// foreignKeys are keys that cannot be read.
type foreignKeys struct {
	first []plan.Failure
	more  int
}

func (k *foreignKeys) add(key string, err error) {
	if len(k.first) == maxForeign {
		k.more++
		return
	}
	k.first = append(k.first, plan.Failure{Subject: foreign.Quote(key, 300), Kind: plan.KindUndecodableKey, Reason: err.Error()})
}

func (k *foreignKeys) failures() []plan.Failure {
	if k.more == 0 {
		return k.first
	}
	return append(k.first, plan.Failure{Subject: "bucket", Kind: plan.KindUndecodableKey, Reason: fmt.Sprintf("%d more keys cannot be read", k.more)})
}
