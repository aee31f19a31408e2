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

// ReadFirstBytes returns an object's first n bytes, or all of a smaller one, and its ETag. Given to Download,
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
