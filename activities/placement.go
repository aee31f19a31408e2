package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// ErrOvertaken says that an upload was planned on what the bucket no longer holds.
var ErrOvertaken = errors.New("another upload came first")

// maxTieChecks is how often an upload looks whether another one of the same second is taken back.
const maxTieChecks = 8

// placement is an object that is put in its place among the others of its destination.
type placement struct {
	producer  *Producer
	key       string
	seenChain plan.ChainState // what the bucket held when the upload was planned
	UploadInput
}

// stored is the object in the bucket, if this run has put it there; else bucket.ErrNotFound.
func (u placement) stored(ctx context.Context) (bucket.ObjectInfo, error) {
	own, err := u.producer.Bucket.Stat(ctx, u.key)
	if err == nil && (own.Size != u.Size || !own.CreatedAt.Equal(u.CreatedAt)) {
		err = fmt.Errorf("%w: another run has stored %q", bucket.ErrNotFound, u.key)
	}
	return own, err
}

// findNewer looks for objects of the destination that are newer than what was planned on, those that build on this one among them:
// the one that came first, and the one that came last.
func (u placement) findNewer(ctx context.Context) (first, last *object.Stored, err error) {
	from := u.seenChain
	from.Commits = append(slices.Clip(from.Commits), u.ID.Commit)
	for o, err := range objectsSince(ctx, u.producer.Bucket, u.ID.Destination, from) {
		if err != nil {
			return nil, nil, err
		}
		if !u.seenChain.OvertakenBy(o, u.key) {
			continue
		}
		if first == nil || plan.Precedes(o, *first) {
			first = &o
		}
		if last == nil || plan.Precedes(*last, o) {
			last = &o
		}
	}
	return first, last, nil
}

// withdrawIfOvertaken takes the object back when another one has come first after all, in the moment between the last check
// and the upload. It must not stay as the newest: that the branch goes back to it is worse than that others may have built on what
// had this key before, which a snapshot mends. When another one has come since, it does no harm.
func (u placement) withdrawIfOvertaken(ctx context.Context, own bucket.ObjectInfo) error {
	placed := object.Stored{Key: own.Key, Modified: own.Modified}
	rival, err := u.findEarlier(ctx, placed)
	if err != nil || rival == nil {
		return err
	}
	_, last, err := u.findNewer(ctx)
	if err != nil {
		return err
	}
	now, err := u.stored(ctx)
	switch {
	case err != nil && !errors.Is(err, bucket.ErrNotFound):
		return err
	case err == nil && now.ETag == own.ETag && (last == nil || !plan.UploadedBefore(placed, *last)):
		if err := u.producer.Bucket.Delete(ctx, u.key); err != nil {
			return err
		}
	}
	return u.overtakenError(*rival)
}

// findEarlier is the object that this one yields to; nil when it stays. Nobody can tell which of two came first in one second. The one
// that First names waits for the other to go. If that stays, it was there and done before this one came.
func (u placement) findEarlier(ctx context.Context, own object.Stored) (*object.Stored, error) {
	for looked := 1; ; looked++ {
		first, _, err := u.findNewer(ctx)
		switch {
		case err != nil || first == nil || plan.UploadedBefore(own, *first):
			return nil, err
		case looked > maxTieChecks || plan.Precedes(*first, own):
			return first, nil
		}
		if err := awaitClockTick(ctx); err != nil {
			return nil, err
		}
	}
}

func (u placement) overtakenError(newer object.Stored) error {
	return fmt.Errorf("%w: %q was uploaded %s", ErrOvertaken, newer.Key, newer.Modified.UTC().Format(time.RFC3339))
}
