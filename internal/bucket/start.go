package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// rangeGrowth is how many times as long each range is as the one before, so that a few requests read much, and what is
// asked for in vain is less than was needed.
const rangeGrowth = 4

// Start reads an object from its beginning for as far as anybody wants to read, which most often is not far. It asks
// for one range after the other, all of the same version of the object. Its errors are ErrReplaced, if that is there no
// longer, and those of a request.
type Start struct {
	ctx    context.Context
	bucket *Bucket
	key    string
	etag   *string
	length int64 // of the next range
	offset int64
	end    int64 // of the range that is being read
	isLast bool  // the object ends with it
	body   io.ReadCloser
}

// OpenStart returns a reader of the object whose first request is for length bytes, when it is read first. It has to be
// closed.
func (b *Bucket) OpenStart(ctx context.Context, key string, length int64) *Start {
	return &Start{ctx: ctx, bucket: b, key: key, length: length}
}

func (s *Start) Read(p []byte) (int, error) {
	for s.offset == s.end {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n, err := s.body.Read(p[:min(int64(len(p)), s.end-s.offset)])
	s.offset += int64(n)
	if n > 0 || err == nil {
		return n, nil // an error comes again
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return 0, fmt.Errorf("read start of %q: %w", s.key, err)
}

// next asks for the next range.
func (s *Start) next() error {
	if s.isLast {
		return io.EOF
	}
	_ = s.Close()
	out, err := s.bucket.client.GetObject(s.ctx, &s3.GetObjectInput{
		Bucket: &s.bucket.name, Key: &s.key, IfMatch: s.etag, Range: aws.String(fmt.Sprintf("bytes=%d-%d", s.offset, s.offset+s.length-1)),
	})
	if empty, ok := errors.AsType[smithy.APIError](err); ok && empty.ErrorCode() == "InvalidRange" && s.offset == 0 {
		return io.EOF // an empty object has no first byte
	}
	if err != nil {
		return fmt.Errorf("read start of %q: %w", s.key, reduceError(err))
	}
	s.body, s.etag = out.Body, out.ETag
	s.length *= rangeGrowth
	return s.setRange(out)
}

// setRange takes in which part of the object an answer has. A server that does not know ranges sends all of it.
func (s *Start) setRange(out *s3.GetObjectOutput) error {
	if out.ContentRange == nil && s.offset == 0 {
		s.end, s.isLast = aws.ToInt64(out.ContentLength), true
		return nil
	}
	var first, last, size int64
	_, err := fmt.Sscanf(aws.ToString(out.ContentRange), "bytes %d-%d/%d", &first, &last, &size)
	if err != nil || first != s.offset || last < first || last >= size {
		return fmt.Errorf("read start of %q: from byte %d on, server sent range %s", s.key, s.offset, foreign.Quote(aws.ToString(out.ContentRange), 64))
	}
	s.end, s.isLast = last+1, last+1 == size
	return nil
}

// ETag is that of the version that is read; "" before anything was.
func (s *Start) ETag() string { return aws.ToString(s.etag) }

// Close ends the reading. It can be called more than once.
func (s *Start) Close() error {
	if s.body == nil {
		return nil
	}
	body := s.body
	s.body = nil
	return body.Close()
}
