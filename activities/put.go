package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// ErrBucketClock says that the bucket's clock does not reach the time of what it holds.
var ErrBucketClock = errors.New("the bucket's clock is behind its newest object")

const (
	// maxClockStep is how long an upload waits for the bucket's clock.
	maxClockStep = 10 * time.Second
	// clockTick is how often it looks.
	clockTick = 250 * time.Millisecond
	// maxUploadTries is how often an object is uploaded that then is not of a later second. It was waited for, so
	// that only a store with several clocks gives such times.
	maxUploadTries = 3
)

// put uploads the object so that it is the newest of its branch, unless another one has become that since
// the plan was made.
func (p *Producer) put(ctx context.Context, u placement, body io.ReaderAt) error {
	f := u.seenChain
	// An attempt that was cut off may have stored it, and not looked what came before.
	if own, err := u.stored(ctx); err == nil && f.InLaterSecond(own.Modified) {
		return u.withdrawIfOvertaken(ctx, own)
	} else if err != nil && !errors.Is(err, bucket.ErrNotFound) {
		return err
	}
	for range maxUploadTries {
		if err := p.awaitLaterSecond(ctx, f); err != nil {
			return err
		}
		err := p.Bucket.Upload(ctx, u.key, body, u.Size, bucket.WithCreatedAt(u.CreatedAt),
			bucket.WithLastCheck(func(ctx context.Context) error {
				first, _, err := u.findNewer(ctx)
				if err == nil && first != nil {
					err = u.overtakenError(*first)
				}
				return err
			}))
		if err != nil {
			return err
		}
		own, err := p.Bucket.Stat(ctx, u.key)
		if err != nil {
			return err
		}
		if f.InLaterSecond(own.Modified) {
			return u.withdrawIfOvertaken(ctx, own)
		}
	}
	return fmt.Errorf("%w: %s, uploaded %s, was not given a later time", ErrBucketClock, f.Key, f.Modified)
}

// clockHasPassed tells whether the bucket's clock has reached a later second than that of the newest object. It
// fails when it is not even near to that. A store that does not tell its time is asked for it by the upload.
func (p *Producer) clockHasPassed(ctx context.Context, f plan.ChainState) (bool, error) {
	if f.Modified.IsZero() {
		return true, nil
	}
	now, err := p.Bucket.Now(ctx)
	switch {
	case err != nil:
		return false, err
	case now.IsZero() || f.InLaterSecond(now):
		return true, nil
	case f.Modified.Sub(now) > maxClockStep:
		return false, fmt.Errorf("%w: it shows %s, but %q was uploaded %s", ErrBucketClock, now.UTC(), f.Key, f.Modified.UTC())
	}
	return false, nil
}

// awaitLaterSecond waits for the second after that of the newest object: within one second it could not be told
// which of the two came later.
func (p *Producer) awaitLaterSecond(ctx context.Context, f plan.ChainState) error {
	for {
		if ok, err := p.clockHasPassed(ctx, f); ok || err != nil {
			return err
		}
		if err := awaitClockTick(ctx); err != nil {
			return err
		}
	}
}

func awaitClockTick(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(clockTick):
		return nil
	}
}
