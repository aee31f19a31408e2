package activities

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/packfile"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/predecessor"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// key is where an object is stored.
func (p *Producer) key(id object.ID) (string, error) {
	if p.WritePredecessor {
		return id.PredecessorKey()
	}
	return id.Key()
}

// requireName refuses branches that the predecessor's consumer would do something else with, if it is written for. The plan has refused them,
// but not that of a run that was started by hand, or before that was configured.
func (p *Producer) requireName(destination project.Branch) error {
	if !p.WritePredecessor {
		return nil
	}
	return project.ValidatePredecessorBranch(destination.Branch)
}

// packageForPredecessor writes an archive as the predecessor's consumer unpacks it, of the pack in the bundle. What frames it
// goes through all of it, so that it is a file of its own.
func (p *Producer) packageForPredecessor(ctx context.Context, run staging.Run, b archive.Bundle, created time.Time) error {
	if err := p.Staging.RequireFree(b.Size); err != nil {
		return err
	}
	file, err := run.Open(bundleFile)
	if err != nil {
		return err
	}
	defer file.Close()
	_, offset, err := bundle.ReadHeader(bufio.NewReader(file), b.Destination)
	if err != nil {
		return err
	}
	meter := startMeter(ctx, b.Size)
	defer meter.stop()
	size := b.Size - offset
	if err := p.awaitIndexing(ctx, meter); err != nil {
		return err
	}
	defer p.indexing.Unlock()
	index, err := packfile.NewIndex(watched{io.NewSectionReader(file, offset, size), ctx, meter})
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	return run.Create(archiveFile, func(f *os.File) error {
		return predecessor.Write(f, predecessor.Repository{
			Branch: b.Destination.Branch, Commit: b.Commit, Modified: created,
			Pack: meter.read(io.NewSectionReader(file, offset, size)), PackSize: size, Index: index,
		})
	})
}

// awaitIndexing locks indexing. A step that waits for others' packs is alive, however long they take: theirs end when nothing moves.
func (p *Producer) awaitIndexing(ctx context.Context, meter *meter) error {
	for !p.indexing.TryLock() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
			meter.signsOfLife.Add(1)
		}
	}
	return nil
}

// watched is a file that is read for so long that the step must notice when it is cancelled, and show that it is alive.
type watched struct {
	io.ReadSeeker
	ctx   context.Context
	meter *meter
}

func (w watched) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.ReadSeeker.Read(b)
	w.meter.signsOfLife.Add(int64(n))
	return n, err
}

// deleteEarlier deletes what the destination had before this object: the predecessor's consumer would push it, too, in any order, and it
// stops at objects of ours. What is not found here, or is one too many, is deleted at the end of the cycle, or of a later one.
func (u placement) deleteEarlier(ctx context.Context) error {
	info, err := u.producer.Bucket.Stat(ctx, u.key)
	if err != nil {
		return err
	}
	own := object.Stored{Key: info.Key, Size: info.Size, Modified: info.Modified}
	earlier := removal{needed: []object.Stored{own}}
	for o, err := range objectsSince(ctx, u.producer.Bucket, u.ID.Destination, u.seenChain) {
		if err != nil {
			return err
		}
		if plan.UploadedBefore(o, own) {
			earlier.unneeded = append(earlier.unneeded, o)
		}
		if len(earlier.unneeded) == maxPruned {
			break
		}
	}
	verified, err := u.producer.verify(ctx, []removal{earlier})
	if err != nil || !verified[0] {
		return err
	}
	var keys []string
	for _, o := range earlier.unneeded {
		keys = append(keys, o.Key)
	}
	return u.producer.Bucket.Delete(ctx, keys...)
}
