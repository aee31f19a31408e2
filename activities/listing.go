package activities

import (
	"context"
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// maxReportedKeys bounds how many unreadable keys are reported one by one.
const maxReportedKeys = 20

// refusedBudget bounds what is kept of destinations that are not allowed, in bytes: their names are
// reported, nothing else.
const refusedBudget = 64 << 10

// maxCountedDestinations bounds the destinations that are told apart to be counted.
const maxCountedDestinations = 100_000

// selection says what is wanted of a bucket.
type selection struct {
	// order is the order of the destinations: those that do not fit are its last.
	order turn.Order
	// after leaves out the destinations up to a position, and those that are not configured. Zero leaves out none.
	after turn.Position
	// first are the destinations that come before all others; nil for none.
	first func(project.Branch) bool
	// configured are the destinations that are wanted, by their identities; nil for all.
	configured func(project.Branch) bool
	// only is the one destination that is wanted, however it is spelled; nil for all.
	only  *project.Branch
	allow project.Allowlist
}

// wants tells whether a destination is looked for, and whether it is configured.
func (s selection) wants(b project.Branch, at turn.Position) (wanted, configured bool) {
	configured = s.configured == nil || s.configured(b.Identity())
	return s.after == 0 || configured && at > s.after, configured
}

// bucketContents are what a bucket holds, as far as it is wanted and fits into memory.
type bucketContents struct {
	chains map[project.Branch]chain.Chain
	// covers tells for which destinations chains are complete.
	covers func(project.Branch) bool
	// failures are keys that are not ours, destinations that are not allowed, and what did not fit.
	failures []plan.Failure
	refused  int // destinations that are not allowed
	// omitted are the destinations that chains has no room for.
	omitted plan.Omitted
}

// readBucket lists the bucket. Whatever is in it, the memory that this takes is bounded.
func readBucket(ctx context.Context, b *bucket.Bucket, want selection) (bucketContents, error) {
	wanted, refused := chain.NewInventory(want.order, want.first), chain.NewInventory(want.order, nil).WithBudget(refusedBudget)
	seen := map[turn.Position]bool{} // configured
	var undecodable undecodableKeys
	for o, err := range b.List(ctx, "") {
		if err != nil {
			return bucketContents{}, err
		}
		stored, err := object.NewStored(o.Key, o.Size, o.Modified)
		switch {
		case err != nil:
			undecodable.add(o.Key, err)
		case want.only != nil && stored.Destination.Identity() != want.only.Identity():
		case !want.allow.Allows(stored.Destination):
			refused.Add(stored)
		default:
			at := want.order.Position(stored.Destination)
			if ok, configured := want.wants(stored.Destination, at); ok {
				if len(seen) < maxCountedDestinations {
					seen[at] = configured
				}
				wanted.Add(stored)
			}
		}
	}
	c := bucketContents{chains: wanted.Chains(), covers: wanted.Covers, failures: undecodable.failures()}
	c.count(seen, want)
	for branch := range refused.Chains() {
		c.refused++
		c.failures = append(c.failures, plan.Failure{Subject: branch.String(), Kind: plan.KindNotAllowed, Reason: "the destination is not in ALLOWED_DESTINATIONS"})
	}
	if n := refused.Omitted(); n > 0 {
		c.failures = append(c.failures, plan.Failure{Subject: "bucket", Kind: plan.KindNotAllowed,
			Reason: fmt.Sprintf("%d objects of further destinations that are not in ALLOWED_DESTINATIONS", n)})
	}
	return c, nil
}

// count tells how many destinations there are besides those of the chains.
func (c *bucketContents) count(seen map[turn.Position]bool, want selection) {
	for branch := range c.chains {
		delete(seen, want.order.Position(branch))
	}
	for _, configured := range seen {
		if configured {
			c.omitted.Configured++
		} else {
			c.omitted.Unconfigured++
		}
	}
	c.omitted.Uncountable = len(seen)+len(c.chains) >= maxCountedDestinations
	if n := c.omitted.Unconfigured; n > 0 || c.omitted.Uncountable {
		c.failures = append(c.failures, plan.Failure{Subject: "bucket", Kind: plan.KindTooManyObjects, Reason: fmt.Sprintf(
			"the bucket has objects of %d destinations, and of %d that are not configured there was no room for the objects", len(seen)+len(c.chains), n)})
	}
}

// undecodableKeys are keys that cannot be read.
type undecodableKeys struct {
	first []plan.Failure
	more  int
}

func (k *undecodableKeys) add(key string, err error) {
	if len(k.first) == maxReportedKeys {
		k.more++
		return
	}
	k.first = append(k.first, plan.Failure{Subject: foreign.Quote(key, 300), Kind: plan.KindUndecodableKey, Reason: err.Error()})
}

func (k *undecodableKeys) failures() []plan.Failure {
	if k.more == 0 {
		return k.first
	}
	return append(k.first, plan.Failure{Subject: "bucket", Kind: plan.KindUndecodableKey, Reason: fmt.Sprintf("%d more keys cannot be read", k.more)})
}
