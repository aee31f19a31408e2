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

// maxTied is how often an upload looks whether another one of the same second is taken back.
const maxTied = 8

// placing is an object that is put in its place among the others of its destination.
type placing struct {
	producer *Producer
	key      string
	follows  plan.Follows // what the bucket held when the upload was planned
	UploadInput
}

// stored is the object in the bucket, if this run has put it there; else bucket.ErrNotFound.
func (u placing) stored(ctx context.Context) (bucket.Object, error) {
	own, err := u.producer.Bucket.Stat(ctx, u.key)
	if err == nil && (own.Size != u.Size || !own.CreatedAt.Equal(u.CreatedAt)) {
		err = fmt.Errorf("%w: another run has stored %q", bucket.ErrNotFound, u.key)
	}
	return own, err
}

// newer looks for objects of the destination that are newer than what was planned on, those that build on this one among them:
// the one that came first, and the one that came last.
func (u placing) newer(ctx context.Context) (first, last *object.Stored, err error) {
	from := u.follows
	from.Commits = append(slices.Clip(from.Commits), u.ID.Commit)
	for o, err := range since(ctx, u.producer.Bucket, u.ID.Destination, from) {
		if err != nil {
			return nil, nil, err
		}
		if !u.follows.Overtakes(o, u.key) {
			continue
		}
		if first == nil || plan.First(o, *first) {
			first = &o
		}
		if last == nil || plan.First(*last, o) {
			last = &o
		}
	}
	return first, last, nil
}

// yield takes the object back when another one has come first after all, in the moment between the last check
// and the upload. It must not stay as the newest: that the branch goes back to it is worse than that others may have built on what
// had this key before, which a snapshot mends. When another one has come since, it does no harm.
func (u placing) yield(ctx context.Context, own bucket.Object) error {
	placed := object.Stored{Key: own.Key, Modified: own.Modified}
	rival, err := u.rival(ctx, placed)
	if err != nil || rival == nil {
		return err
	}
	_, last, err := u.newer(ctx)
	if err != nil {
		return err
	}
	now, err := u.stored(ctx)
	switch {
	case err != nil && !errors.Is(err, bucket.ErrNotFound):
		return err
	case err == nil && now.ETag == own.ETag && (last == nil || !plan.Before(placed, *last)):
		if err := u.producer.Bucket.Delete(ctx, u.key); err != nil {
			return err
		}
	}
	return u.overtaken(*rival)
}

// rival is the object that this one yields to; nil when it stays. Nobody can tell which of two came first in one second. The one
// that First names waits for the other to go. If that stays, it was there and done before this one came.
func (u placing) rival(ctx context.Context, own object.Stored) (*object.Stored, error) {
	for looked := 1; ; looked++ {
		first, _, err := u.newer(ctx)
		switch {
		case err != nil || first == nil || plan.Before(own, *first):
			return nil, err
		case looked > maxTied || plan.First(*first, own):
			return first, nil
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

func (u placing) overtaken(newer object.Stored) error {
	return fmt.Errorf("%w: %q was uploaded %s", ErrOvertaken, newer.Key, newer.Modified.UTC().Format(time.RFC3339))
}
