package activities

import (
	"context"
	"fmt"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// maxReportedKeys bounds how many undecodable keys are reported one by one.
const maxReportedKeys = 20

// refusedBudget is the memory for destinations that are not allowed, in bytes. Only their names are reported.
const refusedBudget = 64 << 10

// maxCountedDestinations bounds how many destinations are counted.
const maxCountedDestinations = 100_000

// selection says what to read of a bucket.
type selection struct {
	// order is the order of the destinations. The last ones are left out if not all fit.
	order turn.Order
	// after leaves out the destinations up to a position, and those that are not configured. Zero leaves out none.
	after turn.Position
	// first tells destinations that are kept before all others; nil prioritizes none.
	first func(project.Branch) bool
	// configured tells by their identities which destinations are configured; nil means all.
	configured func(project.Branch) bool
	// only tells which destinations to read; nil reads all.
	only  func(project.Branch) bool
	allow project.Allowlist
	// forPredecessor is for buckets that the predecessor's consumer reads.
	forPredecessor bool
	// beside tells which objects of destinations up to after count for bucketContents.newest; nil counts none.
	beside func(object.Stored) bool
}

// limitedTo reads the projects of a few destinations, which come first, from their beginning: whatever they overlap has to be
// known.
func (s selection) limitedTo(subset plan.Subset) selection {
	s.only, s.first, s.configured, s.after = subset.Project(), subset.Has, subset.Has, 0
	return s
}

// wants tells whether to read a destination, and whether it is configured.
func (s selection) wants(b project.Branch, at turn.Position) (wanted, configured bool) {
	configured = s.configured == nil || s.configured(b.Identity())
	return s.after == 0 || configured && at > s.after, configured
}

// bucketContents is what a bucket holds of the selection, as far as it fits into memory.
type bucketContents struct {
	chains map[project.Branch]chain.Chain
	// covers tells for which destinations chains is complete.
	covers func(project.Branch) bool
	// failures are undecodable keys, destinations that are not allowed, and what did not fit.
	failures []plan.Failure
	refused  int // destinations that are not allowed
	// newest has, by identity, the newest objects of the destinations that are left out because they come before others of
	// their project: those may overlap them.
	newest map[project.Branch]object.Stored
	// omitted counts the destinations that did not fit.
	omitted plan.Omitted
	catalog bool // there is one
	lfs     bool // there is something in the folder of LFS objects
	// projects are those of which there is anything else.
	projects *projectSet
	// use is what all of the bucket holds, but for the catalog and LFS objects.
	use fleet.BucketUse
}

// readBucket lists the bucket's objects, of which the catalog is none, nor are LFS objects, around whose folder it leads. Its memory
// is bounded, whatever the bucket holds.
func readBucket(ctx context.Context, b *bucket.Bucket, want selection) (bucketContents, error) {
	wanted, refused := chain.NewInventory(want.order, want.first).ForPredecessor(want.forPredecessor), chain.NewInventory(want.order, nil).WithBudget(refusedBudget)
	seen := map[turn.Position]bool{} // configured
	var undecodable undecodableKeys
	newest, projects, hasCatalog, hasLFS := newestObjects{}, newProjectSet(), false, false
	var use fleet.BucketUse
	for o, err := range b.ListAround(ctx, lfs.Root) {
		if err != nil {
			return bucketContents{}, err
		}
		if o.Key == catalog.Key {
			hasCatalog = true
			continue
		}
		if strings.HasPrefix(o.Key, lfs.Root) {
			hasLFS = true
			continue
		}
		stored, err := object.NewStored(o.Key, o.Size, o.Modified)
		stored.ETag = o.ETag
		kindOfUse(&use, stored, err).Add(o.Size)
		if err == nil {
			projects.add(stored.Destination.Identity().Path())
		}
		switch {
		case err != nil:
			undecodable.add(o.Key, err)
		case want.only != nil && !want.only(stored.Destination):
		case !want.allow.Allows(stored.Destination):
			refused.Add(stored)
		default:
			at := want.order.Position(stored.Destination)
			if ok, configured := want.wants(stored.Destination, at); ok {
				if len(seen) < maxCountedDestinations {
					seen[at] = configured
				}
				wanted.Add(stored)
			} else if want.beside != nil && at.SameProject(want.after) && want.beside(stored) {
				newest.add(stored)
			}
		}
	}
	c := bucketContents{chains: wanted.Chains(), covers: wanted.Covers, failures: undecodable.failures(), newest: newest, catalog: hasCatalog, lfs: hasLFS, projects: projects, use: use}
	c.count(seen, want)
	for branch := range refused.Chains() {
		c.refused++
		c.failures = append(c.failures, plan.NotAllowed(branch))
	}
	if n := refused.Omitted(); n > 0 {
		c.failures = append(c.failures, plan.Failure{Subject: "bucket", Kind: plan.KindNotAllowed,
			Reason: fmt.Sprintf("%d objects of further destinations that are not in ALLOWED_DESTINATIONS", n)})
	}
	return c, nil
}

// kindOfUse is where an object counts, whose key could not be decoded if there is an error.
func kindOfUse(use *fleet.BucketUse, o object.Stored, err error) *fleet.Use {
	switch {
	case err != nil:
		return &use.Other
	case o.Base == "":
		return &use.Snapshots
	}
	return &use.Increments
}

// count counts the destinations that chains does not have.
func (c *bucketContents) count(seen map[turn.Position]bool, want selection) {
	for branch, chain := range c.chains {
		delete(seen, want.order.Position(branch))
		c.use.LongestChain = max(c.use.LongestChain, len(chain.Objects))
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

// undecodableKeys collects keys that cannot be decoded.
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
