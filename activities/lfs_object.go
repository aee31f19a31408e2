package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

var (
	// ErrLFSObjectMissing says that the bucket does not have an LFS object that an object's signed list has.
	ErrLFSObjectMissing = errors.New("the LFS object is not in the bucket")
	// ErrLFSObjectInvalid says that the bucket has something else in an LFS object's place.
	ErrLFSObjectInvalid = errors.New("not the LFS object that the signed list has")
)

// open returns a file with the content of an LFS object: one that an attempt before this one has left, or else from the
// bucket. No byte of it is for anybody before its SHA-256 is known to be the OID.
func (d *lfsDelivery) open(ctx context.Context, o lfs.Object) (*os.File, error) {
	file, err := d.openVerified(ctx, o)
	if err == nil || !isAnyOf(err, staging.ErrMissing, ErrLFSObjectInvalid) {
		return file, err
	}
	if err := d.fetch(ctx, o); err != nil {
		return nil, err
	}
	if file, err = d.openVerified(ctx, o); errors.Is(err, ErrLFSObjectInvalid) {
		err = fmt.Errorf("objects below %s: %w", d.folder+o.OID+"/", err)
	}
	return file, err
}

// openVerified opens the file of an LFS object, unless that is not its content.
func (d *lfsDelivery) openVerified(ctx context.Context, o lfs.Object) (*os.File, error) {
	file, err := d.run.Open(lfsObjectFile(o))
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	size, err := io.Copy(hash, watched{file, ctx, d.meter})
	got := hex.EncodeToString(hash.Sum(nil))
	if err == nil && (size != o.Size || got != o.OID) {
		err = fmt.Errorf("%w: %d bytes with the SHA-256 %s", ErrLFSObjectInvalid, size, got)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// fetch decrypts the segments of an LFS object from the bucket to a file. What cannot be right is not downloaded.
func (d *lfsDelivery) fetch(ctx context.Context, o lfs.Object) error {
	if err := d.consumer.Staging.RequireFree(o.Size); err != nil {
		return err
	}
	segments := make([]bucket.ObjectInfo, o.Segments())
	for i := range segments {
		var err error
		if segments[i], err = d.statSegment(ctx, o, i+1); err != nil {
			return err
		}
		d.meter.signsOfLife.Add(1)
	}
	return d.run.Create(lfsObjectFile(o), func(f *os.File) error {
		for i, stored := range segments {
			_, length := o.Segment(i + 1)
			if err := d.decryptSegment(ctx, stored, length, f); err != nil {
				return fmt.Errorf("object %s: %w", stored.Key, err)
			}
		}
		return nil
	})
}

// statSegment returns what the bucket says of a segment.
func (d *lfsDelivery) statSegment(ctx context.Context, o lfs.Object, n int) (stored bucket.ObjectInfo, err error) {
	key, err := lfs.Key(d.branch, o.OID, n)
	if err != nil {
		return stored, err
	}
	if stored, err = d.bucket.Stat(ctx, key); err != nil {
		return stored, asLFSObjectMissing(err)
	}
	if _, length := o.Segment(n); !crypt.MayHold(stored.Size, length) {
		err = fmt.Errorf("object %s: %w: it has %d bytes, as no encrypted segment of %d can have", key, ErrLFSObjectInvalid, stored.Size, length)
	}
	return stored, err
}

// asLFSObjectMissing keeps only the text of what the bucket says of an object that it does not have: it is not one that a
// newer one has replaced.
func asLFSObjectMissing(err error) error {
	if errors.Is(err, bucket.ErrNotFound) {
		return fmt.Errorf("%w: %v", ErrLFSObjectMissing, err)
	}
	return err
}

// decryptSegment writes a segment of so many bytes to w.
func (d *lfsDelivery) decryptSegment(ctx context.Context, stored bucket.ObjectInfo, length int64, w io.Writer) error {
	encrypted, err := d.bucket.OpenObject(ctx, stored.Key, stored.ETag, stored.Size)
	if err != nil {
		return asLFSObjectMissing(err)
	}
	defer func() { _ = encrypted.Close() }()
	plaintext, err := crypt.Decrypt(d.meter.read(encrypted), d.consumer.Identities)
	var size int64
	if err == nil {
		size, err = io.Copy(w, io.LimitReader(plaintext, length+1))
	}
	switch {
	case isAnyOf(err, crypt.ErrNotAge, crypt.ErrCorrupt):
		return fmt.Errorf("%w: %w", ErrLFSObjectInvalid, err)
	case err == nil && size != length:
		return fmt.Errorf("%w: it has not the %d bytes of the segment", ErrLFSObjectInvalid, length)
	}
	return err
}
