package activities

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// ErrNoBranch says that a project has no such branch or tag, or none that a set's pattern matches.
var ErrNoBranch = errors.New("does not exist")

// Cloned is a branch, a tag or a set of refs as a Git bundle on a worker's disk.
type Cloned struct {
	Staged Staged         `json:"staged"`
	Bundle archive.Bundle `json:"bundle"`          // CreatedAt is still zero
	Before time.Time      `json:"before,omitzero"` // the previous object's creation time
	// WhySnapshot says why the bundle is a snapshot although an increment was planned, if an operator should know.
	WhySnapshot string `json:"why_snapshot,omitempty"`
	// Changes says in words what becomes of a set's refs.
	Changes string `json:"changes,omitempty"`
	// Nothing says in words that there is nothing to do. Then nothing was cloned. Only with Work.LookFirst.
	Nothing string `json:"nothing,omitempty"`
	// Pause is why nothing was cloned. Only with Work.HeedPause.
	Pause *fleet.Pause `json:"pause,omitempty"`
	// Short says that the steps that only need what was cloned take moments. Only with Work.ShortSteps.
	Short bool `json:"short,omitempty"`
	// LFS says that what was cloned may need LFS objects.
	LFS bool `json:"lfs,omitempty"`
}

// state is what a source was at some time. Its zero value is what a snapshot builds on.
type state struct {
	commit  string      // the commit or tag object of a branch or tag, or the ID of a set's state
	refs    refset.List // of a set
	leftOut string      // which of a set's refs are not among them, in words
}

// Clone fetches the branch, tag or set of refs from the source, and stores the pack as it arrives in a Git bundle. It
// asks for an increment on the planned base. If the source no longer knows the base, as after a rewritten history, it
// sends a snapshot, which is stored as one.
//
// It takes the current state, which may be newer than the planned one.
func (p *Producer) Clone(ctx context.Context, work UploadWork) (cloned Cloned, err error) {
	meter := startMeter(ctx, 0) // before the configuration, the source and the bucket are asked, which may take long
	defer meter.stop()
	upload := work.Plan
	source := upload.Sync.Source
	if cloned.Pause, err = p.pausedBefore(ctx, upload.Sync.Destination, work.HeedPause); err != nil || cloned.Pause != nil {
		return cloned, err
	}
	if err := cmp.Or(p.requireConfigured(ctx, upload.Sync), p.requireName(upload.Sync.Destination)); err != nil {
		return cloned, err
	}
	tip, err := p.readSource(ctx, upload.Sync)
	if err != nil {
		return cloned, fmt.Errorf("source %s: %w", source, err)
	}
	if work.LookFirst {
		switch uploaded, err := p.isUploaded(ctx, upload.Sync, tip); {
		case err != nil:
			return cloned, err
		case uploaded:
			return Cloned{Staged: stage(ctx, p.Host), Nothing: nothingToDo("bucket", upload.Sync.Destination, tip.commit)}, nil
		}
	}
	newest, err := p.statNewest(ctx, upload.SeenChain)
	if err != nil {
		return cloned, err
	}
	cloned.Before = previousCreationTime(upload.SeenChain, newest)
	var base state
	if base, cloned.WhySnapshot, err = p.baseByClock(ctx, upload, newest); err != nil {
		return cloned, err
	}
	request := p.fetchRequest(source, base, tip)
	pack, base, err := p.fetch(ctx, source, base, request)
	if err != nil {
		return cloned, fmt.Errorf("source %s: %w", source, err)
	}
	defer pack.Close() //nolint:errcheck // it was only read

	cloned.Staged = stage(ctx, p.Host)
	cloned.Bundle.ID = object.ID{Destination: upload.Sync.Destination, Commit: tip.commit, Base: base.commit}
	if cloned.Before, err = p.laterOfSame(ctx, cloned.Bundle.ID, cloned.Before); err != nil {
		return cloned, err
	}
	cloned.Bundle.Thin = base.commit != "" && p.ThinPacks
	head, err := p.writeBundle(&cloned, base, tip, pack, meter)
	if err != nil {
		return cloned, fmt.Errorf("source %s: %w", source, err)
	}
	cloned.Short = work.ShortSteps && !p.WritePredecessor && p.areShort(cloned.Bundle.Size+cloned.Bundle.RefsSize)
	err = p.prepareFindLFS(ctx, &cloned, upload.Sync, fetched{request.Wants, request.Haves, request.Thin, head}, meter)
	return cloned, err
}

// readSource reads what the source is at now.
func (p *Producer) readSource(ctx context.Context, sync project.Sync) (state, error) {
	source := sync.Source
	if source.IsSet() {
		return p.readSet(ctx, sync)
	}
	refs, err := p.Source.Refs(ctx, source.Path(), source.Ref())
	if err != nil {
		return state{}, err
	}
	commit, ok := refs[source.Ref()]
	if !ok {
		return state{}, fmt.Errorf("%s %w", source.Kind(), ErrNoBranch)
	}
	return state{commit: commit}, nil
}

// fetchRequest is for the pack that leads from a base to the tip.
func (p *Producer) fetchRequest(source project.Branch, base, tip state) smarthttp.FetchRequest {
	request := smarthttp.FetchRequest{Repo: source.Path(), Wants: []string{tip.commit}, Thin: p.ThinPacks && base.commit != ""}
	switch {
	case source.IsSet():
		request.Wants, request.Haves = wants(base.refs, tip.refs), haves(source, base.refs, tip.refs)
	case base.commit != "":
		request.Haves = []string{base.commit}
	}
	return request
}

// fetch asks the source for a pack, and returns on which base it is. If the source does not know a branch's or tag's, that
// is none. A set's pack is on its base in any case, since the destination has all of it: what the source no longer knows of
// that only makes the pack larger.
func (p *Producer) fetch(ctx context.Context, source project.Branch, base state, request smarthttp.FetchRequest) (pack io.ReadCloser, on state, err error) {
	if len(request.Wants) == 0 { // a set that has only lost refs, or has new ones for known objects
		return io.NopCloser(bytes.NewReader(smarthttp.EmptyPack)), base, nil
	}
	stream, err := p.Source.FetchPack(ctx, request)
	if err != nil {
		return nil, state{}, err
	}
	if !source.IsSet() && stream.Common() == "" {
		base = state{}
	}
	return stream, base, nil
}

// writeBundle writes the bundle, and the refs of a set, and returns where in the bundle the pack begins. When it fails, it leaves no
// files of the run behind, because the next attempt may run on another worker.
func (p *Producer) writeBundle(cloned *Cloned, base, tip state, pack io.Reader, meter *meter) (offset int64, err error) {
	run, err := p.Staging.Run(cloned.Staged.Run)
	if err != nil {
		return 0, err
	}
	var head []byte
	if cloned.Bundle.Destination.IsSet() {
		head, err = writeRefs(run, cloned, base, tip)
	} else {
		head, err = bundle.EncodeHeader(cloned.Bundle.ID)
	}
	hash := sha256.New()
	if err == nil {
		err = run.Create(bundleFile, func(f *os.File) error {
			_, err := io.Copy(io.MultiWriter(f, hash, meter), io.MultiReader(bytes.NewReader(head), pack))
			return err
		})
	}
	if err != nil {
		return 0, errors.Join(err, run.Remove())
	}
	cloned.Bundle.Size, cloned.Bundle.SHA256 = meter.done.Load(), hex.EncodeToString(hash.Sum(nil))
	return int64(len(head)), nil
}
