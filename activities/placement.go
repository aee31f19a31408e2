package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// maxTieChecks is how often an upload checks whether another one of the same second is withdrawn.
const maxTieChecks = 8

// placement is an upload that has to become the newest object of its destination.
type placement struct {
	producer  *Producer
	key       string
	seenChain plan.ChainState // what the bucket held when the upload was planned
	ahead     aheadTimes      // that objects of that have
	UploadInput
}

// stored returns the object if this run has stored it, and fails with bucket.ErrNotFound otherwise.
func (u placement) stored(ctx context.Context) (bucket.ObjectInfo, error) {
	own, err := u.producer.Bucket.Stat(ctx, u.key)
	if err == nil && (own.Size != u.Size || !own.CreatedAt.Equal(u.CreatedAt)) {
		err = fmt.Errorf("%w: another run has stored %q", bucket.ErrNotFound, u.key)
	}
	return own, err
}

// overtakenBySame fails if another run has put an object of the same key there since the plan was made, and later than this one was
// made: an attempt that was given up comes late. To consumers, the older of the two would be one that somebody has put back.
func (u placement) overtakenBySame(other bucket.ObjectInfo) error {
	if other.CreatedAt.After(u.CreatedAt) && u.seenChain.InLaterSecond(other.Modified) {
		return overtakenError{object.Stored{Key: u.key, Size: other.Size, Modified: other.Modified}}
	}
	return nil
}

// lastCheck fails if another object has become the destination's newest.
func (u placement) lastCheck(ctx context.Context) error {
	first, _, err := u.findNewer(ctx)
	if err != nil {
		return err
	}
	if first != nil {
		return overtakenError{*first}
	}
	other, err := u.producer.Bucket.Stat(ctx, u.key)
	if errors.Is(err, bucket.ErrNotFound) {
		return nil
	}
	return errors.Join(err, u.overtakenBySame(other))
}

// findNewer returns the first and the last of the destination's objects that are newer than the planned state,
// including those that build on this one. They are nil if there is none.
func (u placement) findNewer(ctx context.Context) (first, last *object.Stored, err error) {
	from := u.seenChain
	from.Commits = append(slices.Clip(from.Commits), u.ID.Commit)
	for o, err := range objectsSince(ctx, u.producer.Bucket, u.ID.Destination, from) {
		if err != nil {
			return nil, nil, err
		}
		if !u.seenChain.OvertakenBy(o, u.key) || u.isReplaced(o) {
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

// withdrawIfOvertaken deletes the object again if another one came first after all, between the last check and the
// upload. It must not stay as the newest object, which would move the branch back. Others may have built on the
// object that had this key before; they are worse off, but a snapshot repairs that. If another object has come since,
// this one does no harm and stays.
func (u placement) withdrawIfOvertaken(ctx context.Context, own bucket.ObjectInfo) error {
	placed := object.Stored{Key: own.Key, Modified: own.Modified}
	earlier, err := u.findEarlier(ctx, placed)
	if earlier == nil {
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
	return overtakenError{*earlier}
}

// findEarlier returns the object that this one has to give way to, or nil. Of two objects of one second, nobody can
// tell which came first. The one that plan.Precedes puts first waits for the other to be withdrawn. If the other
// stays, it was complete before this one came.
func (u placement) findEarlier(ctx context.Context, own object.Stored) (*object.Stored, error) {
	for looked := 1; ; looked++ {
		first, _, err := u.findNewer(ctx)
		switch {
		case err != nil || first == nil || plan.UploadedBefore(own, *first):
			return nil, err
		case looked > maxTieChecks || plan.Precedes(*first, own):
			return first, nil
		}
		awaitClockTick(ctx)
	}
}
