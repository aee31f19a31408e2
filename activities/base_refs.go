package activities

import (
	"context"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/refset"
)

// errNoSelfKey says why a producer cannot build on what it has uploaded of a set.
var errNoSelfKey = errors.New("without SIGNING_KEY, a producer cannot read which refs it has uploaded")

// baseRefs returns the state that the planned increment builds on. It reads that from the producer's own objects, and
// trusts them only as far as their signatures and keys go. Without that state, the set has to be uploaded as a
// snapshot, and whySnapshot tells the operator why. An error may pass, and is no reason for a snapshot.
func (p *Producer) baseRefs(ctx context.Context, upload plan.Upload) (list refset.List, whySnapshot string, err error) {
	switch list, err = p.ownRefs(ctx, upload.BaseKeys); {
	case err == nil:
		return list, "", nil
	case ctx.Err() != nil || mayPass(err):
		return nil, "", err
	}
	return nil, fmt.Sprintf("a snapshot in the place of an increment on %s: %v", plan.Short(upload.Base), err), nil
}

// ownRefs returns the state to which some of the producer's own objects lead, one after the other.
func (p *Producer) ownRefs(ctx context.Context, keys []string) (list refset.List, err error) {
	for _, key := range keys {
		if list, err = p.followOwn(ctx, list, key); err != nil {
			return nil, fmt.Errorf("object %s: %w", key, err)
		}
	}
	return list, nil
}

// followOwn returns the state to which one of the producer's own objects leads from its base. It reads the object up to
// its refs, and nothing of the pack behind them.
func (p *Producer) followOwn(ctx context.Context, base refset.List, key string) (refset.List, error) {
	id, err := object.ParseKey(key)
	if err != nil {
		return nil, err
	}
	start := p.Bucket.OpenStart(ctx, key, objectHeadSize)
	defer start.Close() //nolint:errcheck // it was only read
	opened, err := p.openOwn(start, id)
	if err != nil {
		return nil, err
	}
	refs, err := opened.Refs()
	if err != nil {
		return nil, err
	}
	return opened.Manifest.State(base, refs)
}

// openOwn opens an object that this producer has signed for this key.
func (p *Producer) openOwn(encrypted io.Reader, id object.ID) (*archive.Reader, error) {
	if !p.Signer.Signs() {
		return nil, errNoSelfKey
	}
	key, err := p.selfKey()
	if err != nil {
		return nil, err
	}
	plaintext, err := crypt.Decrypt(encrypted, []age.Identity{key})
	if err != nil {
		return nil, err
	}
	opened, err := archive.NewReader(plaintext)
	if err != nil {
		return nil, err
	}
	if err := p.Signer.Verifier().Verify(opened.ManifestBytes, opened.Signature); err != nil {
		return nil, err
	}
	return opened, opened.Manifest.CheckID(id)
}

// mayPass tells whether the same may succeed when it is tried again.
func mayPass(err error) bool {
	for _, k := range kinds {
		if k.matches(err) {
			return k.class.Passes()
		}
	}
	return false
}
