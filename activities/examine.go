package activities

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/object"
)

// headSize is how many bytes of an object have its manifest and signature in them for certain: at most 68 KiB, with what a tar
// has around them, in age chunks of 64 KiB, behind a header of up to a hundred recipients.
const headSize = 256 << 10

// examine reads an object's first bytes, and refuses it like Decrypt does, so that a forged object costs
// no more than those. It returns the object's ETag and what its manifest says.
func (c *Consumer) examine(ctx context.Context, o object.Stored) (etag string, b archive.Bundle, err error) {
	start, etag, err := c.Bucket.ReadStart(ctx, o.Key, headSize)
	if err != nil {
		return etag, b, err
	}
	head := io.Reader(bytes.NewReader(start))
	if int64(len(start)) < o.Size {
		head = io.MultiReader(head, headEnds{})
	}
	reader, err := c.open(head, o.ID)
	if err != nil {
		return etag, b, fmt.Errorf("object %s: %w", o.Key, err)
	}
	return etag, reader.Manifest.Bundle, nil
}

// headEnds is what follows the first bytes of a larger object.
type headEnds struct{}

func (headEnds) Read([]byte) (int, error) {
	return 0, fmt.Errorf("%w: its manifest and signature are not within the first %d bytes", archive.ErrMalformed, headSize)
}
