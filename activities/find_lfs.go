package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// completePack is a run's file with the pack in which no delta lacks its base.
const completePack = "complete.pack"

// ErrRewritten says that the source was rewritten between two looks at it.
var ErrRewritten = errors.New("the source was rewritten meanwhile")

// fetched is what Clone has asked the source for, and where the pack begins in the bundle, in bytes. It may name a hundred
// thousand objects, and so stays on the worker's disk.
type fetched struct {
	Wants      []string `json:"wants"`
	Haves      []string `json:"haves"`
	Thin       bool     `json:"thin"`
	PackOffset int64    `json:"pack_offset"`
}

func stageFetched(run staging.Run, f fetched) error {
	return run.Create(fetchedFile, func(file *os.File) error { return json.NewEncoder(file).Encode(f) })
}

func stagedFetched(run staging.Run) (f fetched, err error) {
	file, err := run.Open(fetchedFile)
	if err != nil {
		return f, err
	}
	defer file.Close()
	if err := json.NewDecoder(file).Decode(&f); err != nil {
		return f, fmt.Errorf("%s: %w", fetchedFile, err)
	}
	return f, nil
}

// requireLFSList refuses a bundle that was not searched for LFS objects although it may need some, or whose list was left out:
// while workers are upgraded, a workflow of a release that knows no LFS may run the steps. The run starts over.
func requireLFSList(run staging.Run, b archive.Bundle) error {
	if b.HasLFS() {
		return nil
	}
	if err := run.Has(fetchedFile); errors.Is(err, staging.ErrMissing) {
		return nil // it needs none
	} else if err != nil {
		return err
	}
	list, err := stagedText(run, lfsFile)
	if err == nil && len(list) > 0 {
		err = fmt.Errorf("%w: what was done with %s", staging.ErrMissing, lfsFile)
	}
	return asOlderWorkflow(err)
}

// asOlderWorkflow says why LFS objects were left out.
func asOlderWorkflow(err error) error {
	if errors.Is(err, staging.ErrMissing) {
		err = fmt.Errorf("LFS objects were left out, as by a worker of an older release: upgrade all of them: %w", err)
	}
	return err
}

// FoundLFS is how many LFS objects a bundle needs.
type FoundLFS struct {
	Objects int   `json:"objects"`
	Size    int64 `json:"size"` // bytes, as their pointers say
}

// FindLFS looks for pointers to LFS objects in the bundle's pack, and keeps the list for the next steps.
//
// A thin pack has deltas whose bases only the destination has. If one of these may make a pointer, the source is asked
// once more for the same objects, with all bases. That pack is thrown away.
func (p *Producer) FindLFS(ctx context.Context, work UploadWork) (found FoundLFS, err error) {
	run, err := p.Staging.Run(work.Staged.Run)
	if err != nil {
		return found, err
	}
	asked, err := stagedFetched(run)
	if err != nil {
		return found, err
	}
	meter := startMeter(ctx, 0)
	defer meter.stop()
	list, unresolved, err := findPointers(ctx, run, bundleFile, asked.PackOffset, asked.Thin, meter)
	if err == nil && unresolved > 0 {
		source := work.Plan.Sync.Source
		complete, again := p.findInCompletePack(ctx, run, source, asked, meter)
		if again != nil {
			err = fmt.Errorf("source %s: %w", source, again)
		}
		list = lfs.Union(list, complete) // of several servers behind one address, one may pack less
	}
	if err != nil {
		return found, err
	}
	if err := stageText(run, lfsFile, list.Encode()); err != nil {
		return found, err
	}
	return FoundLFS{Objects: len(list), Size: lfs.TotalSize(list.Present())}, nil
}

// findPointers reads a staged pack, which begins at an offset of its file.
func findPointers(ctx context.Context, run staging.Run, name string, offset int64, thin bool, meter *meter) (lfs.List, int, error) {
	file, err := run.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	size := info.Size() - offset
	from := meter.done.Load()
	meter.total.Store(from + size)
	pack := io.NewSectionReader(file, offset, size)
	return lfs.FindPointers(ctx, meteredAt{pack, meter, from}, size, thin)
}

// findInCompletePack fetches what Clone has fetched, but no thin pack.
func (p *Producer) findInCompletePack(ctx context.Context, run staging.Run, source project.Branch, asked fetched, meter *meter) (lfs.List, error) {
	pack, err := p.Source.FetchPack(ctx, smarthttp.FetchRequest{Repo: source.Path(), Wants: asked.Wants, Haves: asked.Haves})
	if errors.Is(err, smarthttp.ErrNotOurRef) {
		return nil, fmt.Errorf("%w: %w", ErrRewritten, err)
	}
	if err != nil {
		return nil, err
	}
	defer pack.Close()
	meter.total.Store(0)
	err = run.Create(completePack, func(f *os.File) error {
		_, err := io.Copy(meter.write(f), pack)
		return err
	})
	if err != nil {
		return nil, err
	}
	list, _, err := findPointers(ctx, run, completePack, 0, false, meter)
	return list, errors.Join(err, run.Discard(completePack))
}
