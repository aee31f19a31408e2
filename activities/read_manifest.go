package activities

import (
	"context"
	"fmt"
	"io"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// objectHeadSize is how many bytes at the start of an object certainly contain its manifest and signature: at most 68
// KiB, with tar headers, in age chunks of 64 KiB, behind an age header for up to a hundred recipients.
const objectHeadSize = 256 << 10

// readManifest reads an object's first bytes and checks them like Decrypt does, so that a forged object costs no more
// than those bytes. It returns the object's ETag and what its manifest says, if it has one.
func (c *Consumer) readManifest(ctx context.Context, o object.Stored, expected plan.Expected) (etag string, b archive.Bundle, err error) {
	start := c.Bucket.OpenStart(ctx, o.Key, objectHeadSize)
	defer start.Close() //nolint:errcheck // it was only read
	head := io.LimitReader(start, objectHeadSize)
	if o.Size > objectHeadSize {
		head = io.MultiReader(head, endOfHead{})
	}
	opened, err := c.openObject(head, o, expected)
	if err != nil {
		return "", b, fmt.Errorf("object %s: %w", o.Key, err)
	}
	if opened.archive == nil {
		return start.ETag(), b, nil // the predecessor writes no manifests
	}
	return start.ETag(), opened.archive.Manifest.Bundle, nil
}

// endOfHead follows the first bytes of a larger object. Reading it is an error.
type endOfHead struct{}

func (endOfHead) Read([]byte) (int, error) {
	return 0, fmt.Errorf("%w: its manifest and signature are not within the first %d bytes", archive.ErrMalformed, objectHeadSize)
}
