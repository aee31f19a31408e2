package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// statNewest asks the bucket for the newest object that the plan saw. It is zero if there was none, or it has gone.
func (p *Producer) statNewest(ctx context.Context, follows plan.ChainState) (newest bucket.ObjectInfo, err error) {
	if follows.Key == "" {
		return newest, nil
	}
	newest, err = p.Bucket.Stat(ctx, follows.Key)
	if errors.Is(err, bucket.ErrNotFound) {
		err = nil
	}
	return newest, err
}

// baseByClock is findBase unless the bucket's clock was ahead: then nothing is built on what it has dated. It fails if the clock is behind.
func (p *Producer) baseByClock(ctx context.Context, upload plan.Upload, newest bucket.ObjectInfo) (base state, whySnapshot string, err error) {
	switch ahead, err := p.timesAhead(ctx, upload.SeenChain); {
	case err != nil:
		return base, "", err
	case ahead.exist():
		return base, whyReplaced, nil
	}
	if newest.Now.IsZero() {
		_, err = p.clockHasPassed(ctx, upload.SeenChain)
	} else {
		_, err = hasPassed(newest.Now, upload.SeenChain)
	}
	if err != nil {
		return base, "", err
	}
	return p.findBase(ctx, upload, newest)
}

// findBase returns the planned base, or the zero state if a snapshot has to take an increment's place. Then whySnapshot
// says why, if an operator should know.
func (p *Producer) findBase(ctx context.Context, upload plan.Upload, newest bucket.ObjectInfo) (base state, whySnapshot string, err error) {
	base.commit, whySnapshot, err = p.restorableBase(ctx, upload, newest)
	if err != nil || base.commit == "" || !upload.Sync.Source.IsSet() {
		return base, whySnapshot, err
	}
	if base.refs, whySnapshot, err = p.baseRefs(ctx, upload); err != nil || whySnapshot != "" {
		return state{}, whySnapshot, err
	}
	return base, "", nil
}

// restorableBase returns the planned base if the bucket still has the objects that restore it, and "" otherwise. A
// run that was reset long after it was planned could build on objects that have been pruned, and a run that was
// started by hand could name any objects.
//
// The first versions of the predecessor wrote keys like ours. Their objects lack the creation time that our producers
// store with an object, and nothing can build on them: then whySnapshot tells the operator.
func (p *Producer) restorableBase(ctx context.Context, upload plan.Upload, newest bucket.ObjectInfo) (base, whySnapshot string, err error) {
	if p.WritePredecessor {
		return "", "", nil // its consumer builds on nothing
	}
	for _, key := range upload.BaseKeys {
		id, err := object.ParseKey(key)
		if err != nil || id.Destination.Identity() != upload.Sync.Destination.Identity() || id.Base != base {
			return "", "", nil
		}
		base = id.Commit
		stored := newest
		if key != newest.Key {
			stored, err = p.Bucket.Stat(ctx, key)
		}
		switch {
		case errors.Is(err, bucket.ErrNotFound):
			return "", "", nil
		case err != nil:
			return "", "", err
		case stored.CreatedAt.IsZero():
			return "", fmt.Sprintf("a snapshot in the place of an increment on %s, as no producer has marked %s as its own", plan.Short(upload.Base), key), nil
		}
	}
	if base != upload.Base {
		return "", "", nil
	}
	return base, "", nil
}

// previousCreationTime returns when the newest object that the plan saw was made, according to the object. If it does
// not say, because it is older or gone, the time of its upload is used, which is later.
func previousCreationTime(follows plan.ChainState, newest bucket.ObjectInfo) time.Time {
	switch {
	case newest.Key == "":
		return follows.Modified
	case newest.CreatedAt.IsZero():
		return newest.Modified
	}
	return newest.CreatedAt
}

// laterOfSame returns the creation time of an object that the bucket has under the same key, if that is later. A run that was
// planned at the same time, and has ended, may have uploaded it: this one takes its place, and must not seem to be the older.
func (p *Producer) laterOfSame(ctx context.Context, id object.ID, before time.Time) (time.Time, error) {
	key, err := p.key(id)
	if err != nil {
		return before, err
	}
	same, err := p.Bucket.Stat(ctx, key)
	switch {
	case errors.Is(err, bucket.ErrNotFound):
		return before, nil
	case err == nil && same.CreatedAt.After(before):
		return same.CreatedAt, nil
	}
	return before, err
}
