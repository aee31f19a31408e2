package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

const (
	// maxPruned bounds how many objects one cycle deletes, since its report lists their keys, and how many an upload does.
	maxPruned = 500
	// parallelStats is how many objects are checked at a time before they are deleted.
	parallelStats = 8
	// uploadAge is longer than any upload may take.
	uploadAge = 24 * time.Hour
)

// PruneRequest is what the plan found. Prune itself finds out which objects to delete.
type PruneRequest struct {
	Absence plan.Absence `json:"absence,omitzero"`
}

// Pruned is what Prune deleted.
type Pruned struct {
	Keys []string `json:"keys,omitempty"`
	// Left counts the objects that are no longer needed but were left for the next cycle.
	Left int `json:"left,omitempty"`
	// Absence is what the next cycle has to remember.
	Absence plan.Absence `json:"absence,omitzero"`
}

// removal is what may be deleted of one destination, provided that the needed objects exist.
type removal struct {
	destination project.Branch
	needed      []object.Stored
	unneeded    []object.Stored
	orphaned    bool // nothing of the destination stays
}

func (r removal) keys() (keys []string) {
	for _, o := range r.unneeded {
		keys = append(keys, o.Key)
	}
	return keys
}

// Prune deletes the objects that newer ones have replaced, those whose sync left the configuration long enough ago, and LFS
// objects of projects that have nothing else. It lists the bucket and the configuration anew, and takes no keys from its input. Because a listing may be
// older than the last writes, it checks every object first. If one is not as listed, its destination is left for the
// next cycle. Nothing is deleted of a sync that is paused. It also takes back uploads that killed workers left behind.
func (p *Producer) Prune(ctx context.Context, request PruneRequest) (pruned Pruned, err error) {
	defer startMeter(ctx, 0).stop()
	paused, err := p.Pauses.List(ctx)
	if err != nil {
		return pruned, err
	}
	var syncs []project.Sync
	if len(request.Absence.Branches) > 0 {
		if syncs, err = p.listSyncs(ctx); err != nil {
			return pruned, err
		}
	}
	contents, err := p.readBucket(ctx, turn.At(p.Clock()), 0, syncs, request.Absence, nil)
	if err != nil {
		return pruned, err
	}
	// If no destination is absent, the syncs were not read. An empty configuration has no orphans that are due.
	due := p.Retention.Orphans(syncs, contents.chains, contents.omitted, request.Absence, p.Clock()).Due
	// What has left the configuration since the cycle's plan is still in the catalog that the plan wrote: a consumer would take it
	// for withheld.
	due = slices.DeleteFunc(due, func(b project.Branch) bool { return !request.Absence.Has(b) })
	removals, left := removals(withoutPaused(contents.chains, plan.NewPauses(paused)), due)
	room := maxPruned
	for _, r := range removals {
		room -= len(r.unneeded)
	}
	lfsKeys, lfsLeft, err := p.pruneLFS(ctx, contents, request.Absence, room)
	if err != nil {
		return pruned, err
	}
	verified, err := p.verify(ctx, removals)
	if err != nil {
		return pruned, err
	}
	var deleted []project.Branch
	for i, r := range removals {
		if !verified[i] {
			left += len(r.unneeded)
			continue
		}
		pruned.Keys = append(pruned.Keys, r.keys()...)
		if r.orphaned {
			deleted = append(deleted, r.destination)
		}
	}
	if p.stopsConsumer(contents) {
		pruned.Keys = append(pruned.Keys, catalog.Key)
	}
	err = p.Bucket.Delete(ctx, pruned.Keys...)
	pruned.Keys = append(pruned.Keys, lfsKeys...)
	slices.Sort(pruned.Keys)
	pruned.Left = left + lfsLeft
	pruned.Absence = request.Absence.RecordDeletion(deleted, p.Clock())
	p.abortOldUploads(ctx)
	return pruned, err
}

// abortOldUploads ends what nobody works on any more: where the same key is not uploaded again, nothing else would, but a lifecycle rule
// that the bucket may not have. No failure of it is one of the cycle.
func (p *Producer) abortOldUploads(ctx context.Context) {
	aborted, err := p.Bucket.AbortUploads(ctx, uploadAge, isOurKey)
	if err != nil {
		activity.GetLogger(ctx).Warn("Uploads that killed workers may have left stay in the bucket", "error", err)
	}
	if aborted > 0 {
		activity.GetLogger(ctx).Info("Took back uploads that killed workers have left", "uploads", aborted)
	}
}

// isOurKey tells the keys of what is uploaded in parts.
func isOurKey(key string) bool {
	_, err := object.NewStored(key, 0, time.Time{})
	if err != nil {
		_, _, _, err = lfs.ParseKey(key)
	}
	return err == nil
}

// withoutPaused returns the chains of which objects may be deleted.
func withoutPaused(chains map[project.Branch]chain.Chain, pauses plan.Pauses) map[project.Branch]chain.Chain {
	unpaused := maps.Clone(chains)
	maps.DeleteFunc(unpaused, func(b project.Branch, _ chain.Chain) bool { return pauses.Has(b) })
	return unpaused
}

// stopsConsumer tells whether there is a catalog, of a time before WritePredecessor was set: the predecessor's consumer stops at a key
// that it cannot decode.
func (p *Producer) stopsConsumer(contents bucketContents) bool {
	return p.WritePredecessor && contents.catalog
}

// removals returns what to delete, up to the limit for one cycle. Go's random order of maps gives every destination
// its turn, even if the removal of others fails each time.
func removals(chains map[project.Branch]chain.Chain, due []project.Branch) (out []removal, left int) {
	room := maxPruned
	for branch, c := range chains {
		r := removal{destination: branch, needed: c.Restoring(), unneeded: c.Superseded}
		if r.orphaned = slices.Contains(due, branch); r.orphaned {
			r.needed, r.unneeded = nil, c.All()
		}
		if n := len(r.unneeded); n > room {
			r.unneeded, r.orphaned = r.unneeded[:room], false
			left += n - room
		}
		if room -= len(r.unneeded); len(r.unneeded) > 0 {
			out = append(out, r)
		}
	}
	return out, left
}

// verify tells for each removal whether all of its objects are as they were listed.
func (p *Producer) verify(ctx context.Context, removals []removal) (verified []bool, err error) {
	changed := make([]atomic.Bool, len(removals))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelStats)
	for i, r := range removals {
		for _, o := range slices.Concat(r.needed, r.unneeded) {
			group.Go(func() error {
				same, err := p.asListed(ctx, o)
				if !same {
					changed[i].Store(true)
				}
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("before deleting: %w", err)
	}
	for i := range changed {
		verified = append(verified, !changed[i].Load())
	}
	return verified, nil
}

// asListed tells whether an object is as it was listed. Listings may have fractions of a second that the object's own
// time does not have.
func (p *Producer) asListed(ctx context.Context, listed object.Stored) (bool, error) {
	now, err := p.Bucket.Stat(ctx, listed.Key)
	if errors.Is(err, bucket.ErrNotFound) {
		return false, nil
	}
	same := now.Size == listed.Size && now.Modified.Truncate(time.Second).Equal(listed.Modified.Truncate(time.Second))
	return same, err
}
