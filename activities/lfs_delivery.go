package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
)

const (
	// lfsBatch is how many LFS objects a server is asked about before they are transferred: its links expire.
	lfsBatch = 100
	// lfsTransfers is how many LFS objects are on their way at a time, in one run.
	lfsTransfers = 4
	// lfsInFlight is how many bytes those have together. A larger object goes alone.
	lfsInFlight = 1 << 30
)

// lfsDelivery sends LFS objects from the bucket to a destination, and counts them.
type lfsDelivery struct {
	*push
	consumer *Consumer
	folder   string // of the project in the bucket
	limit    int64  // bytes of objects on their way
	room     *semaphore.Weighted

	mu     sync.Mutex
	pushed *PushedLFS
}

func (c *Consumer) newLFSDelivery(p *push, pushed *PushedLFS, limit int64) (*lfsDelivery, error) {
	folder, err := lfs.Folder(p.branch)
	return &lfsDelivery{push: p, consumer: c, folder: folder, limit: limit, room: semaphore.NewWeighted(limit), pushed: pushed}, err
}

// deliver sends to the destination what it lacks of a list.
func (d *lfsDelivery) deliver(ctx context.Context, needed lfs.List) error {
	for objects := range slices.Chunk(needed.Present(), lfsBatch) {
		if err := d.sendBatch(ctx, objects); err != nil {
			return err
		}
	}
	return d.lookForAbsent(ctx, needed.Absent())
}

func (d *lfsDelivery) sendBatch(ctx context.Context, objects []lfs.Object) error {
	transfers, err := d.askToSend(ctx, objects)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lfsTransfers)
	for _, t := range transfers {
		if !t.Needed() {
			group.Go(func() error { return d.leave(t.Object) })
			continue
		}
		d.meter.total.Add(2 * t.Size) // from the bucket, and to the destination
		group.Go(func() error { return d.send(ctx, t) })
	}
	return group.Wait()
}

// askToSend asks the destination which of the objects it lacks. It fails if one of them is refused.
func (d *lfsDelivery) askToSend(ctx context.Context, objects []lfs.Object) ([]lfsapi.Transfer, error) {
	transfers, err := d.consumer.LFS.Batch(ctx, d.branch.Path(), lfsapi.Upload, objects)
	if err != nil {
		return nil, err
	}
	for _, t := range transfers {
		if err := t.Err(); err != nil {
			return nil, fmt.Errorf("LFS object %s: %w", t.OID, err)
		}
	}
	return transfers, nil
}

// send sends one object. Another branch of the project may need it at the same time: the worker sends it once.
func (d *lfsDelivery) send(ctx context.Context, t lfsapi.Transfer) error {
	weight := min(t.Size, d.limit)
	if err := d.room.Acquire(ctx, weight); err != nil {
		return context.Cause(ctx)
	}
	defer d.room.Release(weight)
	unlock, waited, err := d.consumer.sendingLFS.lock(ctx, d.folder+t.OID, func() { d.meter.signsOfLife.Add(1) })
	if err != nil {
		return err
	}
	defer unlock()
	if waited {
		again, err := d.askToSend(ctx, []lfs.Object{t.Object})
		if err != nil {
			return err
		}
		if t = again[0]; !t.Needed() {
			return d.leave(t.Object)
		}
	}
	file, err := d.open(ctx, t.Object)
	if err != nil {
		return fmt.Errorf("LFS object %s: %w", t.OID, err)
	}
	defer file.Close()
	if err := d.consumer.LFS.Upload(ctx, t, countedAt{file, &d.meter.done}); err != nil {
		return err
	}
	d.count(t.Object, true)
	return d.run.Discard(lfsObjectFile(t.Object))
}

// leave counts an object that the destination has. What an interrupted attempt has left of it makes room.
func (d *lfsDelivery) leave(o lfs.Object) error {
	d.count(o, false)
	return d.run.Discard(lfsObjectFile(o))
}

func (d *lfsDelivery) count(o lfs.Object, sent bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pushed.Size += o.Size
	if sent {
		d.pushed.Sent++
	} else {
		d.pushed.There++
	}
}

// lookForAbsent asks the destination for what the source does not have: somebody may have put it there by hand. Only pointers
// say how large that is, which is not counted. A destination without LFS has none of it, and gets the commits: a text that is
// like a pointer, such as in a document, is no large file.
func (d *lfsDelivery) lookForAbsent(ctx context.Context, objects []lfs.Object) error {
	for asked := range slices.Chunk(objects, lfsBatch) {
		transfers, err := d.consumer.LFS.Batch(ctx, d.branch.Path(), lfsapi.Download, asked)
		if err != nil && !errors.Is(err, lfsapi.ErrDisabled) {
			return err
		}
		for i, o := range asked {
			if err == nil && transfers[i].Err() == nil {
				d.pushed.There++
			} else {
				d.pushed.miss(o.OID)
			}
		}
	}
	return nil
}
