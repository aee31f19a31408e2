package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

var (
	// ErrOvertaken says that an upload was planned on what the bucket no longer holds.
	ErrOvertaken = errors.New("another upload came first")

	// ErrBucketClock says that the bucket's clock does not reach the time of what it holds.
	ErrBucketClock = errors.New("the bucket's clock is behind its newest object")
)

const (
	// maxClockStep is how long an upload waits for the bucket's clock.
	maxClockStep = 10 * time.Second
	// clockTick is how often it looks.
	clockTick = 250 * time.Millisecond
	// maxPuts is how often an object is uploaded that then is not of a later second. It was waited for, so
	// that only a store with several clocks gives such times.
	maxPuts = 3
	// maxTied is how often it looks whether another upload of the same second is taken back.
	maxTied = 8
)

// put uploads the object so that it is the newest of its branch, unless another one has become that since
// the plan was made.
func (p *Producer) put(ctx context.Context, key string, body io.ReaderAt, encrypted Encrypted) error {
	f := encrypted.Follows
	u := placing{p, key, encrypted}
	for range maxPuts {
		if err := p.awaitLater(ctx, f); err != nil {
			return err
		}
		there := false // before
		err := p.Bucket.Upload(ctx, key, body, encrypted.Size, bucket.WithCreatedAt(encrypted.CreatedAt),
			bucket.WithLastCheck(func(ctx context.Context) (err error) {
				var newer *chain.Object
				if newer, there, err = u.others(ctx); err == nil && newer != nil {
					err = u.overtaken(*newer)
				}
				return err
			}))
		if err != nil {
			return err
		}
		object, err := p.Bucket.Stat(ctx, key)
		if err != nil {
			return err
		}
		if f.Later(object.Modified) {
			return u.yield(ctx, object, there)
		}
	}
	return fmt.Errorf("%w: %s, uploaded %s, was not given a later time", ErrBucketClock, f.Key, f.Modified)
}

// later tells whether the bucket's clock has reached a later second than that of the newest object. It
// fails when it is not even near to that. A store that does not tell its time is asked for it by the upload.
func (p *Producer) later(ctx context.Context, f plan.Follows) (bool, error) {
	if f.Modified.IsZero() {
		return true, nil
	}
	now, err := p.Bucket.Now(ctx)
	switch {
	case err != nil:
		return false, err
	case now.IsZero() || f.Later(now):
		return true, nil
	case f.Modified.Sub(now) > maxClockStep:
		return false, fmt.Errorf("%w: it shows %s, but %q was uploaded %s", ErrBucketClock, now.UTC(), f.Key, f.Modified.UTC())
	}
	return false, nil
}

// awaitLater waits for the second after that of the newest object: within one second it could not be told
// which of the two came later.
func (p *Producer) awaitLater(ctx context.Context, f plan.Follows) error {
	for {
		if ok, err := p.later(ctx, f); ok || err != nil {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(clockTick):
		return nil
	}
}

// placing is an object that is put in its place among the others of its destination.
type placing struct {
	producer *Producer
	key      string
	Encrypted
}

// others looks for objects of the destination that are newer than what was planned on, and for one that has this
// key already.
func (u placing) others(ctx context.Context) (newer *chain.Object, there bool, err error) {
	for o, err := range since(ctx, u.producer.Bucket, u.Object.Destination, u.Follows) {
		if err != nil {
			return nil, false, err
		}
		there = there || o.Name == u.key
		if u.Follows.Overtakes(o, u.key) && (newer == nil || plan.First(o, *newer)) {
			newer = &o
		}
	}
	return newer, there, nil
}

// yield takes the object back when another one has come first after all, in the moment between the last check
// and the upload. A key that was there before stays: other objects may build on it.
func (u placing) yield(ctx context.Context, own bucket.Object, there bool) error {
	rival, err := u.rival(ctx, chain.Object{Name: own.Key, Modified: own.Modified})
	if err != nil || rival == nil {
		return err
	}
	if now, err := u.producer.Bucket.Stat(ctx, u.key); err == nil && !there && now.ETag == own.ETag && now.CreatedAt.Equal(u.CreatedAt) {
		if err := u.producer.Bucket.Delete(ctx, u.key); err != nil {
			return err
		}
	}
	return u.overtaken(*rival)
}

// rival is the object that this one yields to; nil when it stays. Nobody can tell which of two came first in one second. The one
// that First names waits for the other to go. If that stays, it was there and done before this one came.
func (u placing) rival(ctx context.Context, own chain.Object) (*chain.Object, error) {
	for looked := 1; ; looked++ {
		newer, _, err := u.others(ctx)
		switch {
		case err != nil || newer == nil || plan.Before(own, *newer):
			return nil, err
		case looked > maxTied || plan.First(*newer, own):
			return newer, nil
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

func (u placing) overtaken(newer chain.Object) error {
	return fmt.Errorf("%w: %q was uploaded %s", ErrOvertaken, newer.Name, newer.Modified.UTC().Format(time.RFC3339))
}
