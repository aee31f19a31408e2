package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// smallPack is up to which size, in bytes, Clone searches a pack for pointers itself: that takes milliseconds, and most have none.
const smallPack = 1 << 20

const (
	// lfsDenials is how often a source has to say that it has no LFS, before pointers are uploaded as they are.
	lfsDenials = 3
	// lfsDoubt is how long it is waited between two of them where there are pointers: long enough for a server that starts, also for one
	// of several.
	lfsDoubt = 5 * time.Second
	// lfsSmallDoubt is the same where nobody has looked: to search a large pack costs more than to fetch it.
	lfsSmallDoubt = 200 * time.Millisecond
)

// prepareFindLFS finds out whether what was cloned may need LFS objects, and keeps what FindLFS has to know then. When it fails, it leaves no
// files of the run behind.
func (p *Producer) prepareFindLFS(ctx context.Context, cloned *Cloned, source project.Sync, asked fetched, meter *meter) error {
	if p.LFS == nil {
		return nil
	}
	run, err := p.Staging.Run(cloned.Staged.Run)
	if err != nil {
		return err
	}
	doubt := lfsDoubt
	if cloned.Bundle.Size-asked.PackOffset > smallPack {
		doubt = lfsSmallDoubt
	}
	if doubt == lfsSmallDoubt || mayHavePointers(ctx, run, asked, meter) {
		cloned.LFS, err = p.hasLFS(ctx, source, doubt)
		if err != nil && ctx.Err() == nil {
			// FindLFS and UploadLFS keep the pack while they wait for a server that fails, and many packs need nothing of it.
			cloned.LFS, err = true, nil
		}
	}
	if err == nil && cloned.LFS {
		err = stageFetched(run, asked)
	}
	if err != nil {
		return errors.Join(err, run.Remove())
	}
	return nil
}

// mayHavePointers tells whether there may be pointers to LFS objects in the bundle's pack. What cannot be told, FindLFS has to find out.
func mayHavePointers(ctx context.Context, run staging.Run, asked fetched, meter *meter) bool {
	list, unresolved, err := findPointers(ctx, run, bundleFile, asked.PackOffset, asked.Thin, meter)
	return err != nil || unresolved > 0 || len(list) > 0
}

// hasLFS tells whether LFS objects are to be looked for. That a server has no LFS is also what one says that starts or fails, as
// Gitea does while its database does not answer. It counts only for a project that the bucket has no LFS objects of, and if the server says
// so again and again after it has shown that it is at work. Of two servers that take turns, both are asked.
func (p *Producer) hasLFS(ctx context.Context, sync project.Sync, doubt time.Duration) (bool, error) {
	if enabled, err := p.lfsEnabled(ctx, sync.Source); enabled || err != nil {
		return enabled, err
	}
	folder, err := lfs.Folder(sync.Destination)
	if err != nil {
		return false, err
	}
	for _, err := range p.Bucket.List(ctx, folder) {
		return err == nil, err
	}
	for again := range lfsDenials - 1 {
		if err := p.wait(ctx, doubt); err != nil {
			return false, err
		}
		if again == 0 {
			if _, err := p.Source.Refs(ctx, sync.Source.Path(), "HEAD"); err != nil {
				return false, fmt.Errorf("source %s: %w", sync.Source, err)
			}
		}
		if enabled, err := p.lfsEnabled(ctx, sync.Source); enabled || err != nil {
			return enabled, err
		}
	}
	return false, nil
}

// lfsEnabled tells whether the source has LFS now, by its own word.
func (p *Producer) lfsEnabled(ctx context.Context, source project.Branch) (bool, error) {
	enabled, err := p.LFS.Enabled(ctx, source.Path())
	if err != nil {
		return false, fmt.Errorf("source %s: %w", source, err)
	}
	return enabled, nil
}

// wait returns after some time, or with the context's error.
func (p *Producer) wait(ctx context.Context, d time.Duration) error {
	after := time.After
	if p.after != nil {
		after = p.after
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-after(d):
		return nil
	}
}
