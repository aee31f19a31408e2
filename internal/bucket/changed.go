package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// ErrUnchanged says that an object still has the ETag that is known.
var ErrUnchanged = errors.New("unchanged")

// GetIfChanged returns an object's content, of which it reads at most length bytes, and its ETag. As long as the object still
// has the known ETag, which is empty for nothing, it fails with ErrUnchanged, for the price of one request without a body
// (RFC 9110, 13.1.2). A store that does not know conditional reads sends the object, and its ETag still tells.
func (b *Bucket) GetIfChanged(ctx context.Context, key, known string, length int64) (content []byte, etag string, err error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key, IfNoneMatch: optional(known)})
	if answer, ok := asAPIError(err); ok && answer.Status == http.StatusNotModified {
		return nil, known, ErrUnchanged
	}
	if err != nil {
		return nil, "", fmt.Errorf("get %q: %w", key, reduceError(err))
	}
	defer out.Body.Close() //nolint:errcheck // it was only read
	if etag = aws.ToString(out.ETag); etag == "" {
		return nil, "", fmt.Errorf("get %q: %w: the answer has no ETag", key, ErrNotStore)
	}
	if etag == known {
		return nil, known, ErrUnchanged
	}
	if content, err = io.ReadAll(io.LimitReader(out.Body, length)); err != nil {
		return nil, "", fmt.Errorf("get %q: %w", key, err)
	}
	return content, etag, nil
}
