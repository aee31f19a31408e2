package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// ReadFirstBytes returns an object's first n bytes, or all of a smaller one, and its ETag. Given to DownloadListed,
// the ETag makes sure that the content is still the same.
func (b *Bucket) ReadFirstBytes(ctx context.Context, key string, n int64) (start []byte, etag string, err error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &b.name, Key: &key, Range: aws.String(fmt.Sprintf("bytes=0-%d", n-1)),
	})
	if empty, ok := errors.AsType[smithy.APIError](err); ok && empty.ErrorCode() == "InvalidRange" {
		return nil, "", nil // an empty object has no first byte
	}
	if err != nil {
		return nil, "", fmt.Errorf("read start of %q: %w", key, reduceError(err))
	}
	defer func() { _ = out.Body.Close() }()
	// A server that does not know ranges sends all of it.
	if start, err = io.ReadAll(io.LimitReader(out.Body, n)); err != nil {
		return nil, "", fmt.Errorf("read start of %q: %w", key, err)
	}
	return start, aws.ToString(out.ETag), nil
}

// DownloadListed writes to w an object with the size that it was listed with and, unless that is empty, the ETag. If
// the object has changed, it fails with ErrReplaced and writes nothing.
func (b *Bucket) DownloadListed(ctx context.Context, key, etag string, size int64, w io.Writer) error {
	d := &download{ctx: ctx, bucket: b, key: key}
	if etag != "" {
		d.etag = &etag
	}
	if err := d.open(); err != nil {
		return fmt.Errorf("download %q: %w", key, err)
	}
	defer func() { _ = d.body.Close() }()
	if d.size != size {
		return fmt.Errorf("download %q: %w: it has %d bytes, and was listed with %d", key, ErrReplaced, d.size, size)
	}
	// One byte more than it may have, so that the end is read: there the SDK verifies the checksum.
	n, err := io.Copy(w, io.LimitReader(d, size+1))
	if err == nil && n != size {
		err = fmt.Errorf("server sent %d bytes of %d", n, size)
	}
	if err != nil {
		return fmt.Errorf("download %q: %w", key, err)
	}
	return nil
}
