package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
)

// maxLiesSought bounds how many objects the source is asked to begin with, for their sizes.
const maxLiesSought = 100

// withoutLies returns the objects without those that have another size than their pointers say. A server may repeat any size,
// and tells the true one only when it begins to send. It looks at the largest ones, while all together are too large and those
// that it has looked at are not.
func (u *lfsUpload) withoutLies(ctx context.Context, objects []lfs.Object, left int64) ([]lfs.Object, error) {
	slices.SortFunc(objects, func(a, b lfs.Object) int { return cmp.Compare(b.Size, a.Size) })
	honest := 0 // so many of the first
	for range maxLiesSought {
		if lfs.TotalSize(objects) <= left || lfs.TotalSize(objects[:honest]) > left {
			break
		}
		is, err := u.hasItsSize(ctx, objects[honest])
		if err != nil {
			return nil, u.failed(objects[honest], err)
		}
		if is {
			honest++
		} else {
			objects = slices.Delete(objects, honest, honest+1)
		}
	}
	return objects, nil
}

// errBegun says that the source has begun to send an object of the right size.
var errBegun = errors.New("the source has begun to send it")

// hasItsSize tells whether the source has an object of the size that the pointer says.
func (u *lfsUpload) hasItsSize(ctx context.Context, o lfs.Object) (bool, error) {
	transfers, err := u.producer.LFS.Batch(ctx, u.sync.Source.Path(), lfsapi.Download, []lfs.Object{o})
	if err != nil {
		return false, err
	}
	err = u.run.Resume(lfsObjectFile(o), func(f *os.File) error { return u.producer.LFS.Download(ctx, transfers[0], beginning{f}) })
	if _, missing := whyMissing(err); missing || errors.Is(err, lfsapi.ErrRejected) {
		return false, u.run.Discard(lfsObjectFile(o))
	}
	if err != nil && !errors.Is(err, errBegun) {
		return false, fmt.Errorf("ask for its size: %w", err)
	}
	return true, nil
}

// beginning is a file that takes nothing.
type beginning struct{ *os.File }

func (beginning) WriteAt([]byte, int64) (int, error) { return 0, errBegun }
