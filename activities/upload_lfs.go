package activities

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/dustin/go-humanize"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
)

// ErrLFSTooMuch says that a project's LFS objects would take more of the bucket than LFS_MAX_PROJECT_SIZE allows.
var ErrLFSTooMuch = errors.New("the project's LFS objects take too much of the bucket")

// lfsLooks is how many objects the bucket is asked for at a time.
const lfsLooks = 16

// UploadedLFS is what became of the LFS objects that a bundle needs.
type UploadedLFS struct {
	MovedLFS
	// Of the list, for the manifest.
	ListSize   int64  `json:"list_size,omitempty"`
	ListSHA256 string `json:"list_sha256,omitempty"`
}

// UploadLFS puts the LFS objects that the bundle needs into the bucket, those that are not there yet. What the source itself
// does not have is noted in the list, and does not hold the commits up.
//
// An attempt that was interrupted has lost nothing: what is in the bucket is not sent again, and what is on this worker's
// disk is not fetched again.
func (p *Producer) UploadLFS(ctx context.Context, work UploadWork) (uploaded UploadedLFS, err error) {
	meter := startMeter(ctx, 0)
	defer meter.stop()
	u, err := p.newLFSUpload(work, meter)
	if err != nil {
		return uploaded, err
	}
	absent, err := u.absent(ctx)
	if err == nil {
		err = u.requireRoom(ctx, absent)
	}
	if err == nil {
		err = u.sendAll(meter.withSignsOfLife(ctx), absent)
	}
	u.result.countIn(ctx)
	if err != nil {
		return uploaded, err
	}
	return u.finish()
}

// newLFSUpload reads the list that FindLFS has left. An earlier attempt may have noted in it what it did not get.
func (p *Producer) newLFSUpload(work UploadWork, meter *meter) (u *lfsUpload, err error) {
	u = &lfsUpload{producer: p, sync: work.Plan.Sync, keys: p.recipientsFingerprint(), inFlight: semaphore.NewWeighted(lfsInFlight), meter: meter}
	if u.run, err = p.Staging.Run(work.Staged.Run); err != nil {
		return nil, err
	}
	text, err := stagedText(u.run, lfsFile)
	if err != nil {
		return nil, err
	}
	if u.list, err = lfs.ParseList(text); err != nil {
		return nil, err
	}
	for i := range u.list {
		u.list[i].Missing = false
	}
	u.encryptedSize, err = crypt.EncryptedSize(p.Recipients)
	return u, err
}

// absent returns the indexes of those that are not in the bucket as they have to be.
func (u *lfsUpload) absent(ctx context.Context) (absent []int, err error) {
	there := make([]bool, len(u.list))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lfsLooks)
	for i, entry := range u.list {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() (err error) {
			there[i], err = u.isThere(ctx, entry.Object)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, is := range there {
		if !is {
			absent = append(absent, i)
		}
	}
	u.result.There = len(u.list) - len(absent)
	u.meter.total.Store(2 * min(lfs.TotalSize(u.objects(absent)), math.MaxInt64/2)) // they are fetched, and sent
	return absent, nil
}

func (u *lfsUpload) objects(indexes []int) []lfs.Object {
	objects := make([]lfs.Object, len(indexes))
	for i, at := range indexes {
		objects[i] = u.list[at].Object
	}
	return objects
}

// requireRoom fails with ErrLFSTooMuch if the objects take more than the project may have. Nothing has been sent then.
func (u *lfsUpload) requireRoom(ctx context.Context, absent []int) error {
	limit := u.producer.MaxLFSProjectSize
	if limit == 0 || len(absent) == 0 {
		return nil
	}
	held, err := u.held(ctx, u.objects(absent))
	if err != nil {
		return err
	}
	left := max(0, limit-held)
	if lfs.TotalSize(u.objects(absent)) <= left {
		return nil
	}
	var more []lfs.Object // of what the source does not have, only the pointer says how large it is
	err = u.ask(ctx, absent, func(_ int, t lfsapi.Transfer) error {
		if t.Err() == nil {
			more = append(more, t.Object)
		}
		return nil
	})
	if err == nil {
		more, err = u.withoutLies(ctx, more, left)
	}
	if size := lfs.TotalSize(more); err == nil && size > left {
		err = fmt.Errorf("%w: %s has %s there, and %d more have %s, of %s that LFS_MAX_PROJECT_SIZE allows", ErrLFSTooMuch,
			u.sync.Destination.Path(), humanBytes(held), len(more), humanBytes(size), humanBytes(limit))
	}
	return err
}

// held is how many bytes the bucket has of the project's other LFS objects.
func (u *lfsUpload) held(ctx context.Context, except []lfs.Object) (size int64, err error) {
	folder, err := lfs.Folder(u.sync.Destination)
	if err != nil {
		return 0, err
	}
	excepted := make(map[string]bool, len(except))
	for _, o := range except {
		excepted[o.OID] = true
	}
	for stored, err := range u.producer.Bucket.List(ctx, folder) {
		if err != nil {
			return 0, err
		}
		u.meter.signsOfLife.Add(1)
		if _, oid, _, err := lfs.ParseKey(stored.Key); err == nil && excepted[oid] {
			continue
		}
		size += min(stored.Size, math.MaxInt64-size)
	}
	return size, nil
}

// ask asks the source for objects, and goes on as soon as visit has returned for those that it was asked for together:
// their addresses do not last.
func (u *lfsUpload) ask(ctx context.Context, indexes []int, visit func(index int, t lfsapi.Transfer) error) error {
	for batch := range slices.Chunk(indexes, lfsBatch) {
		transfers, err := u.producer.LFS.Batch(ctx, u.sync.Source.Path(), lfsapi.Download, u.objects(batch))
		if err != nil {
			return fmt.Errorf("source %s: %w", u.sync.Source, err)
		}
		for i, t := range transfers {
			if err := visit(batch[i], t); err != nil {
				return err
			}
		}
	}
	return nil
}

// finish writes the list as it has turned out.
func (u *lfsUpload) finish() (UploadedLFS, error) {
	text := u.list.Encode()
	if err := stageText(u.run, lfsFile, text); err != nil {
		return UploadedLFS{}, err
	}
	u.result.Size = lfs.TotalSize(u.list.Present())
	slices.Sort(u.result.MissingNames)
	var bound archive.Bundle
	bound.BindLFS(text)
	u.result.ListSize, u.result.ListSHA256 = bound.LFSSize, bound.LFSSHA256
	return u.result, nil
}

func humanBytes(n int64) string { return humanize.Bytes(uint64(n)) }
