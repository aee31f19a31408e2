package activities

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/object"
)

// objectHeadSize is how many bytes of an object have its manifest and signature in them for certain: at most 68 KiB, with what a tar
// has around them, in age chunks of 64 KiB, behind a header of up to a hundred recipients.
const objectHeadSize = 256 << 10

// readManifest reads an object's first bytes, and refuses it like Decrypt does, so that a forged object costs
// no more than those. It returns the object's ETag and what its manifest says.
func (c *Consumer) readManifest(ctx context.Context, o object.Stored) (etag string, b archive.Bundle, err error) {
	start, etag, err := c.Bucket.ReadFirstBytes(ctx, o.Key, objectHeadSize)
	if err != nil {
		return etag, b, err
	}
	head := io.Reader(bytes.NewReader(start))
	if int64(len(start)) < o.Size {
		head = io.MultiReader(head, endOfHead{})
	}
	reader, err := c.openObject(head, o.ID)
	if err != nil {
		return etag, b, fmt.Errorf("object %s: %w", o.Key, err)
	}
	return etag, reader.Manifest.Bundle, nil
}

// endOfHead is what follows the first bytes of a larger object.
type endOfHead struct{}

func (endOfHead) Read([]byte) (int, error) {
	return 0, fmt.Errorf("%w: its manifest and signature are not within the first %d bytes", archive.ErrMalformed, objectHeadSize)
}
