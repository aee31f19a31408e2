package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// lfsUpload brings the LFS objects of one list into the bucket. Each is fetched to the disk as a whole and verified there,
// then encrypted and sent by segments.
type lfsUpload struct {
	producer      *Producer
	run           staging.Run
	sync          project.Sync
	list          lfs.List
	keys          string                 // fingerprint of the recipients
	encryptedSize func(size int64) int64 // of a segment
	inFlight      *semaphore.Weighted    // bytes of objects
	meter         *meter

	mu     sync.Mutex // for what follows
	result UploadedLFS
}

// sendAll sends those with the given indexes.
func (u *lfsUpload) sendAll(ctx context.Context, absent []int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(1 + lfsTransfers)
	group.Go(func() error {
		return u.ask(ctx, absent, func(index int, t lfsapi.Transfer) error {
			group.Go(func() error { return u.send(ctx, index, t) })
			return ctx.Err()
		})
	})
	return group.Wait()
}

// send moves one object from the source to the bucket. Another run of this worker may be moving it, too.
func (u *lfsUpload) send(ctx context.Context, index int, t lfsapi.Transfer) error {
	switch reason, is := whyMissing(t.Err()); {
	case is:
		u.noteMissing(index, reason)
		return nil
	case errors.Is(t.Err(), lfsapi.ErrRejected): // a pointer with another size than the object's, say
		u.noteMissing(index, "the source refuses it")
		return nil
	case t.Err() != nil:
		return u.failed(t.Object, t.Err())
	}
	folder, err := lfs.Folder(u.sync.Destination)
	if err != nil {
		return err
	}
	unlock, _, err := u.producer.sendingLFS.lock(ctx, folder+t.OID, func() { u.meter.signsOfLife.Add(1) })
	if err != nil {
		return err
	}
	defer unlock()
	if there, err := u.isThere(ctx, t.Object); err != nil {
		return err
	} else if there {
		u.noteThere(t.Object)
		return nil
	}
	weight := min(t.Size, lfsInFlight)
	if err := u.inFlight.Acquire(ctx, weight); err != nil {
		return err
	}
	defer u.inFlight.Release(weight)
	err = u.move(ctx, t)
	if reason, is := whyMissing(err); is {
		u.noteMissing(index, reason)
		return nil
	}
	if err != nil {
		return u.failed(t.Object, err)
	}
	u.noteSent()
	return nil
}

func (u *lfsUpload) failed(o lfs.Object, err error) error {
	return fmt.Errorf("source %s: LFS object %s of %s: %w", u.sync.Source, o.OID, humanBytes(o.Size), err)
}

// whyMissing tells the errors by which the source does not have an object; the reason is empty if it has nothing at all.
func whyMissing(err error) (reason string, is bool) {
	switch {
	case errors.Is(err, lfsapi.ErrMissing):
		return "", true
	case errors.Is(err, lfsapi.ErrMismatch):
		return "the source has something else", true
	}
	return "", false
}

// move fetches an object, and sends the segments that the bucket lacks. What an interrupted attempt has fetched stays on the
// disk for the next one; what is not the object does not.
func (u *lfsUpload) move(ctx context.Context, t lfsapi.Transfer) error {
	name := lfsObjectFile(t.Object)
	err := u.run.Resume(name, func(f *os.File) error {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		u.meter.total.Add(-min(info.Size(), t.Size)) // is not fetched again
		if err := u.producer.LFS.Download(ctx, t, &fetching{File: f, upload: u, object: t.Object}); err != nil {
			return err
		}
		for n := 1; n <= t.Segments(); n++ {
			if err := u.sendSegment(ctx, t.Object, n, f); err != nil {
				return err
			}
		}
		return nil
	})
	if _, missing := whyMissing(err); err == nil || missing {
		return errors.Join(err, u.run.Discard(name))
	}
	return err
}

// sendSegment encrypts a segment of an object, and puts it into the bucket unless it is there.
func (u *lfsUpload) sendSegment(ctx context.Context, o lfs.Object, n int, content io.ReaderAt) error {
	offset, length := o.Segment(n)
	key, err := lfs.Key(u.sync.Destination, o.OID, n)
	if err != nil {
		return err
	}
	defer u.meter.done.Add(length)
	if there, err := u.hasSegment(ctx, key, length); there || err != nil {
		return err
	}
	name := fmt.Sprintf("%s.%d.age", lfsObjectFile(o), n)
	defer u.run.Discard(name) //nolint:errcheck // Cleanup removes it
	if err := u.encrypt(name, io.NewSectionReader(content, offset, length)); err != nil {
		return err
	}
	file, err := u.run.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	err = u.producer.Bucket.Upload(ctx, key, countedAt{file, &u.meter.signsOfLife}, u.encryptedSize(length), bucket.WithKeys(u.keys), bucket.WithSharedKey())
	if err != nil { // such as bucket.ErrAborted, by another worker that was first
		if there, statErr := u.hasSegment(ctx, key, length); there && statErr == nil {
			return nil
		}
	}
	return err
}

func (u *lfsUpload) encrypt(name string, content io.Reader) error {
	return u.run.Create(name, func(f *os.File) error {
		w, err := crypt.Encrypt(f, u.producer.Recipients)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, content)
		return errors.Join(err, w.Close())
	})
}

// isThere tells whether the bucket has all segments of an object. What an interrupted attempt has left of it is removed then.
func (u *lfsUpload) isThere(ctx context.Context, o lfs.Object) (bool, error) {
	for n := 1; n <= o.Segments(); n++ {
		_, length := o.Segment(n)
		key, err := lfs.Key(u.sync.Destination, o.OID, n)
		if err != nil {
			return false, err
		}
		if there, err := u.hasSegment(ctx, key, length); !there || err != nil {
			return false, err
		}
	}
	if more, err := u.hasMore(ctx, o); more || err != nil {
		return false, err
	}
	return true, u.run.Discard(lfsObjectFile(o))
}

// hasMore tells whether the bucket has a segment behind the last one. Only of an object that ends with a whole segment does that
// say something: a pointer with too small a size would take the beginning of a larger object for all of it.
func (u *lfsUpload) hasMore(ctx context.Context, o lfs.Object) (bool, error) {
	if o.Size == 0 || o.Size%lfs.SegmentSize != 0 || o.Size == lfs.MaxSize {
		return false, nil
	}
	key, err := lfs.Key(u.sync.Destination, o.OID, o.Segments()+1)
	if err != nil {
		return false, err
	}
	_, err = u.producer.Bucket.Stat(ctx, key)
	u.meter.signsOfLife.Add(1)
	if errors.Is(err, bucket.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// hasSegment tells whether the bucket has so many bytes under a key, encrypted to today's keys.
func (u *lfsUpload) hasSegment(ctx context.Context, key string, length int64) (bool, error) {
	stored, err := u.producer.Bucket.Stat(ctx, key)
	u.meter.signsOfLife.Add(1)
	if errors.Is(err, bucket.ErrNotFound) {
		return false, nil
	}
	return stored.Size == u.encryptedSize(length) && stored.Keys == u.keys, err
}

func (u *lfsUpload) noteSent() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.result.Sent++
}

func (u *lfsUpload) noteThere(o lfs.Object) {
	u.meter.total.Add(-2 * o.Size)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.result.There++
}

func (u *lfsUpload) noteMissing(index int, reason string) {
	entry := &u.list[index]
	u.meter.total.Add(-2 * entry.Size)
	u.mu.Lock()
	defer u.mu.Unlock()
	entry.Missing = true
	if reason != "" {
		reason = " (" + reason + ")"
	}
	u.result.miss(entry.OID + reason)
}

// fetching is the file that an object is fetched to. It counts what arrives, and before the first byte of that it makes sure that
// there is room: not before the source has begun to send, because a pointer can name any size, and a server can repeat it.
type fetching struct {
	*os.File
	upload *lfsUpload
	object lfs.Object
	begun  bool
}

// ReadAt is for what an interrupted attempt has left, which is read again.
func (f *fetching) ReadAt(p []byte, offset int64) (int, error) {
	return countedAt{f.File, &f.upload.meter.signsOfLife}.ReadAt(p, offset)
}

func (f *fetching) WriteAt(p []byte, offset int64) (int, error) {
	if !f.begun {
		if err := f.upload.requireFree(f.object, offset); err != nil {
			return 0, err
		}
		f.begun = true
	}
	n, err := f.File.WriteAt(p, offset)
	f.upload.meter.done.Add(int64(n))
	return n, err
}

// requireFree makes sure that what the disk does not have yet has room, and the largest segment.
func (u *lfsUpload) requireFree(o lfs.Object, has int64) error {
	return u.producer.Staging.RequireFree(o.Size - has + u.encryptedSize(min(o.Size, lfs.SegmentSize)))
}
