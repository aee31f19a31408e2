package activities

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// ErrNoBranch says that a project has no such branch or tag.
var ErrNoBranch = errors.New("does not exist")

// Cloned is a branch or tag as a Git bundle on a worker's disk.
type Cloned struct {
	Staged Staged         `json:"staged"`
	Bundle archive.Bundle `json:"bundle"`          // CreatedAt is still zero
	Before time.Time      `json:"before,omitzero"` // the previous object's creation time
	// WhySnapshot says why the bundle is a snapshot although an increment was planned, if an operator should know.
	WhySnapshot string `json:"why_snapshot,omitempty"`
}

// Clone fetches the branch or tag from the source, and stores the pack as it arrives in a Git bundle. It asks for an
// increment on the planned base. If the source no longer knows the base, as after a rewritten history, it sends a
// snapshot, which is stored as one.
//
// It takes the current commit, which may be newer than the planned one.
func (p *Producer) Clone(ctx context.Context, work UploadWork) (cloned Cloned, err error) {
	meter := startMeter(ctx, 0) // before the configuration, the source and the bucket are asked, which may take long
	defer meter.stop()
	upload := work.Plan
	source := upload.Sync.Source
	if err := p.requireConfigured(ctx, upload.Sync); err != nil {
		return cloned, err
	}
	if err := p.requireName(upload.Sync.Destination); err != nil {
		return cloned, err
	}
	refs, err := p.Source.Refs(ctx, source.Path(), source.Ref())
	if err != nil {
		return cloned, fmt.Errorf("source %s: %w", source, err)
	}
	tip, ok := refs[source.Ref()]
	if !ok {
		return cloned, fmt.Errorf("source %s: %s %w", source, source.Kind(), ErrNoBranch)
	}
	if _, err := p.clockHasPassed(ctx, upload.SeenChain); err != nil {
		return cloned, err
	}
	before, err := p.previousCreationTime(ctx, upload.SeenChain)
	if err != nil {
		return cloned, err
	}
	base, whySnapshot, err := p.restorableBase(ctx, upload)
	if err != nil {
		return cloned, err
	}
	request := smarthttp.FetchRequest{Repo: source.Path(), Wants: []string{tip}}
	if base != "" {
		request.Haves, request.Thin = []string{base}, p.ThinPacks
	}
	pack, err := p.Source.FetchPack(ctx, request)
	if err != nil {
		return cloned, fmt.Errorf("source %s: %w", source, err)
	}
	defer pack.Close()

	id := object.ID{Destination: upload.Sync.Destination, Commit: tip, Base: pack.Common()}
	cloned = Cloned{
		Staged: stage(ctx, p.Host),
		Bundle: archive.Bundle{ID: id, Thin: id.Base != "" && p.ThinPacks},
		Before: before,

		WhySnapshot: whySnapshot,
	}
	cloned.Bundle.Size, cloned.Bundle.SHA256, err = p.writeBundle(cloned.Staged, id, pack, meter)
	if err != nil {
		return cloned, fmt.Errorf("source %s: %w", source, err)
	}
	return cloned, nil
}

// restorableBase returns the planned base if the bucket still has the objects that restore it, and "" otherwise. A
// run that was reset long after it was planned could build on objects that have been pruned, and a run that was
// started by hand could name any objects.
//
// The first versions of the predecessor wrote keys like ours. Their objects lack the creation time that our producers
// store with an object, and nothing can build on them: then whySnapshot tells the operator.
func (p *Producer) restorableBase(ctx context.Context, upload plan.Upload) (base, whySnapshot string, err error) {
	if p.WritePredecessor {
		return "", "", nil // its consumer builds on nothing
	}
	for _, key := range upload.BaseKeys {
		id, err := object.ParseKey(key)
		if err != nil || id.Destination.Identity() != upload.Sync.Destination.Identity() || id.Base != base {
			return "", "", nil
		}
		base = id.Commit
		stored, err := p.Bucket.Stat(ctx, key)
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
func (p *Producer) previousCreationTime(ctx context.Context, follows plan.ChainState) (time.Time, error) {
	if follows.Key == "" {
		return time.Time{}, nil
	}
	newest, err := p.Bucket.Stat(ctx, follows.Key)
	switch {
	case errors.Is(err, bucket.ErrNotFound):
		return follows.Modified, nil
	case err != nil:
		return time.Time{}, err
	case newest.CreatedAt.IsZero():
		return newest.Modified, nil
	}
	return newest.CreatedAt, nil
}

// writeBundle writes the bundle. When it fails, it leaves no files of the run behind, because the next attempt may
// run on another worker.
func (p *Producer) writeBundle(staged Staged, id object.ID, pack io.Reader, meter *meter) (size int64, sum string, err error) {
	run, err := p.Staging.Run(staged.Run)
	if err != nil {
		return 0, "", err
	}
	hash := sha256.New()
	err = run.Create(bundleFile, func(f *os.File) error {
		w := io.MultiWriter(f, hash, meter)
		head, err := bundle.EncodeHeader(id)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, io.MultiReader(bytes.NewReader(head), pack))
		return err
	})
	if err != nil {
		return 0, "", errors.Join(err, run.Remove())
	}
	return meter.done.Load(), hex.EncodeToString(hash.Sum(nil)), nil
}
