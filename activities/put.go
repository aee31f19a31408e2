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

// ErrBucketClock says that the bucket's clock is behind the time of its newest object.
var ErrBucketClock = errors.New("the bucket's clock is behind its newest object")

const (
	// maxClockStep is how long an upload waits for the bucket's clock.
	maxClockStep = 10 * time.Second
	// clockTick is how often it checks the clock.
	clockTick = 250 * time.Millisecond
	// maxUploadTries is how often an object is uploaded that does not get a later second. Since the upload waits for
	// that second, only a store with several clocks makes this happen.
	maxUploadTries = 3
)

// put uploads the object so that it becomes the newest of its branch, unless another object has become that since the
// plan was made. It returns what is in the bucket then.
func (p *Producer) put(ctx context.Context, u placement, body io.ReaderAt) (own bucket.ObjectInfo, err error) {
	if u, err = u.amongAhead(ctx); err != nil {
		return own, err
	}
	if own, err = p.putNewest(ctx, u, body); err != nil {
		return own, err
	}
	return own, u.deleteAhead(ctx, own)
}

// putNewest is put among objects that have no times ahead.
func (p *Producer) putNewest(ctx context.Context, u placement, body io.ReaderAt) (own bucket.ObjectInfo, err error) {
	f := u.seenChain
	// An attempt that was interrupted may have stored the object without checking whether another one came first.
	if own, err = u.stored(ctx); err == nil && f.InLaterSecond(own.Modified) {
		return own, u.withdrawIfOvertaken(ctx, own)
	} else if err != nil && !errors.Is(err, bucket.ErrNotFound) {
		return own, err
	}
	if err := u.overtakenBySame(own); err != nil {
		return own, err
	}
	for range maxUploadTries {
		if err := p.awaitLaterSecond(ctx, f, own.Now); err != nil {
			return own, err
		}
		err := p.Bucket.Upload(ctx, u.key, body, u.Size, bucket.WithCreatedAt(u.CreatedAt),
			bucket.WithLastCheck(u.lastCheck))
		if err != nil {
			return own, err
		}
		if own, err = p.Bucket.Stat(ctx, u.key); err != nil {
			return own, err
		}
		if f.InLaterSecond(own.Modified) {
			return own, u.withdrawIfOvertaken(ctx, own)
		}
	}
	return own, fmt.Errorf("%w: %s, uploaded %s, was not given a later time", ErrBucketClock, f.Key, f.Modified)
}

// clockHasPassed tells whether the bucket's clock has reached a later second than the newest object's. It fails if
// the clock is far behind. If the store does not tell its time, the upload itself shows it.
func (p *Producer) clockHasPassed(ctx context.Context, f plan.ChainState) (bool, error) {
	if f.Modified.IsZero() {
		return true, nil
	}
	now, err := p.Bucket.Now(ctx)
	if err != nil {
		return false, err
	}
	return hasPassed(now, f)
}

// hasPassed is clockHasPassed for a time of the bucket's clock; zero if the store does not tell it.
func hasPassed(now time.Time, f plan.ChainState) (bool, error) {
	switch {
	case now.IsZero() || f.InLaterSecond(now):
		return true, nil
	case f.Modified.Sub(now) > maxClockStep:
		return false, fmt.Errorf("%w: it shows %s, but %q was uploaded %s", ErrBucketClock, now.UTC(), f.Key, f.Modified.UTC())
	}
	return false, nil
}

// awaitLaterSecond waits for the second after the newest object's, because within one second nobody could tell which
// of the two came later. The bucket's clock is asked if it has not shown a later one just now; zero if it has shown none.
func (p *Producer) awaitLaterSecond(ctx context.Context, f plan.ChainState, shown time.Time) error {
	if !shown.IsZero() && f.InLaterSecond(shown) {
		return nil
	}
	for {
		if ok, err := p.clockHasPassed(ctx, f); ok || err != nil {
			return err
		}
		awaitClockTick(ctx)
	}
}

// awaitClockTick waits before the bucket is asked again, which fails once ctx is done.
func awaitClockTick(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(clockTick):
	}
}
