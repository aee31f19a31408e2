package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// ErrChanged reports that an object is no longer the one that was read. Whoever wants to write it reads it again first.
var ErrChanged = errors.New("the object has changed since it was read")

// Put stores content under key if the object there still has the ETag that it was read with; "" means that there was none. It
// returns the new ETag, or fails with ErrChanged. The content goes with one request, and is small.
//
// The condition is S3's If-Match and If-None-Match. A store that does not know these and says so is asked for the ETag right
// before instead, which leaves two writers a moment to miss each other in.
func (b *Bucket) Put(ctx context.Context, key string, content []byte, read string) (etag string, err error) {
	u := upload{key: key, body: newSection(content), ifMatch: optional(read)}
	if read == "" {
		u.ifNoneMatch = aws.String("*")
	}
	etag, err = b.putObject(ctx, u)
	if err = reduceError(err); refusesConditions(err) {
		etag, err = b.putAfterStat(ctx, upload{key: key, body: newSection(content)}, read)
	}
	switch {
	case err == nil:
		return etag, nil
	case saysChanged(err):
		err = fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return "", fmt.Errorf("upload %q: %w", key, err)
}

func newSection(content []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content)))
}

// putAfterStat stores an object after a look at what is there.
func (b *Bucket) putAfterStat(ctx context.Context, u upload, read string) (etag string, err error) {
	now, err := b.Stat(ctx, u.key)
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return "", err
	case now.ETag != read:
		return "", fmt.Errorf("%w: its ETag is %q", ErrChanged, now.ETag)
	}
	etag, err = b.putObject(ctx, u)
	return etag, reduceError(err)
}

// saysChanged tells the answers to a conditional request whose condition does not hold: 412, 404 if the object has gone, and
// 409 if another request is just writing it.
func saysChanged(err error) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && (errors.Is(e, ErrReplaced) || errors.Is(e, ErrNotFound) || e.Status == http.StatusPreconditionFailed || e.Status == http.StatusConflict)
}

// refusesConditions tells the answers of stores that have no conditional writes.
func refusesConditions(err error) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && (e.Code == "NotImplemented" || e.Status == http.StatusNotImplemented)
}
