package activities

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// unseenAge is how old an object is at most that a plan has not seen and that another producer may have uploaded since.
const unseenAge = 24 * time.Hour

// whyReplaced is why an upload is a snapshot where the bucket's clock was ahead.
const whyReplaced = "a snapshot, as the bucket's clock was ahead when the objects before it were uploaded"

// aheadTimes are those that objects were given by a clock of the bucket's that was ahead, and is right now. Objects count by their
// times: what is uploaded now would be older than these. The zero value is for a clock that was not.
type aheadTimes struct {
	last  time.Time // the newest object's
	now   time.Time // by the bucket's clock
	asked time.Time // when that was, by this clock
}

// timesAhead looks whether the newest object's time is ahead of both the bucket's clock and this one. Where only the bucket's is behind
// it, that may be the one that is wrong.
func (p *Producer) timesAhead(ctx context.Context, f plan.ChainState) (a aheadTimes, err error) {
	if f.Modified.Sub(p.Clock()) <= maxClockStep {
		return a, nil
	}
	asked := time.Now()
	now, err := p.Bucket.Now(ctx)
	if err != nil || now.IsZero() || f.Modified.Sub(now) <= maxClockStep {
		return a, err
	}
	return aheadTimes{f.Modified, now, asked}, nil
}

func (a aheadTimes) exist() bool { return !a.last.IsZero() }

// has tells whether an object's time is one of these.
func (a aheadTimes) has(o object.Stored) bool {
	return a.exist() && !o.Modified.After(a.last) && o.Modified.After(a.now.Add(time.Since(a.asked)+maxClockStep))
}

// amongAhead lets an object become the newest although the plan has seen some with times ahead: of the others, none may be younger
// than a day that the plan has not seen. Those with times ahead are deleted when it is there.
func (u placement) amongAhead(ctx context.Context) (placement, error) {
	ahead, err := u.producer.timesAhead(ctx, u.seenChain)
	switch {
	case err != nil || !ahead.exist():
		return u, err
	case u.ID.Base != "": // the clock was put right since Clone: what this builds on may have to go
		return u, fmt.Errorf("%w: it was put right meanwhile", ErrBucketClock)
	}
	u.ahead, u.seenChain.Modified = ahead, ahead.now.Add(-unseenAge)
	return u, nil
}

// isReplaced tells of an object beside times ahead whether the plan has seen it.
func (u placement) isReplaced(o object.Stored) bool {
	return u.ahead.has(o) || u.ahead.exist() && slices.Contains(u.seenChain.Commits, o.Commit)
}

// deleteAhead deletes the objects with times ahead, now that a newer state is there. The newest is the last to go: without those before it
// consumers can do nothing with it, and they see no older one in its place.
func (u placement) deleteAhead(ctx context.Context, own bucket.ObjectInfo) error {
	if !u.ahead.exist() {
		return nil
	}
	placed := object.Stored{Key: own.Key, Size: own.Size, Modified: own.Modified}
	replaced := removal{needed: []object.Stored{placed}}
	for o, err := range objectsSince(ctx, u.producer.Bucket, u.ID.Destination, u.seenChain) {
		if err != nil {
			return err
		}
		if u.ahead.has(o) && plan.UploadedBefore(placed, o) {
			replaced.unneeded = append(replaced.unneeded, o)
		}
	}
	if len(replaced.unneeded) == 0 {
		return nil
	}
	slices.SortFunc(replaced.unneeded, func(a, b object.Stored) int {
		return cmp.Or(a.Modified.Compare(b.Modified), cmp.Compare(a.Key, b.Key))
	})
	newest := replaced.unneeded[len(replaced.unneeded)-1]
	verified, err := u.producer.verify(ctx, []removal{replaced})
	if err != nil {
		return err
	}
	if !verified[0] {
		return overtakenError{newest}
	}
	keys := replaced.keys()
	if err := u.producer.Bucket.Delete(ctx, keys[:len(keys)-1]...); err != nil {
		return err
	}
	return u.producer.Bucket.Delete(ctx, newest.Key)
}
