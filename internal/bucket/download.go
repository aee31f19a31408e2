package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// maxResumes bounds how often one download continues after a lost connection.
const maxResumes = 10

// Download writes to w an object with the size that it was listed with and, unless that is empty, the ETag. If the
// object has changed, it fails with ErrReplaced and writes nothing. It resumes a broken connection where it broke.
//
// The SDK's transfer manager fetches ranges in parallel and holds them in memory until the writer gets to them. One
// stream is as fast for a disk.
func (b *Bucket) Download(ctx context.Context, key, etag string, size int64, w io.Writer) error {
	object, err := b.OpenObject(ctx, key, etag, size)
	if err != nil {
		return err
	}
	defer func() { _ = object.Close() }()
	if _, err = io.Copy(w, object); err != nil {
		return fmt.Errorf("download %q: %w", key, err)
	}
	return nil
}

// OpenObject is Download for who reads: the reader ends after size bytes, or fails. It has to be closed.
func (b *Bucket) OpenObject(ctx context.Context, key, etag string, size int64) (io.ReadCloser, error) {
	d := &download{ctx: ctx, bucket: b, key: key, etag: optional(etag)}
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("download %q: %w", key, err)
	}
	if d.size != size {
		_ = d.Close()
		return nil, fmt.Errorf("download %q: %w: it has %d bytes, and was listed with %d", key, ErrReplaced, d.size, size)
	}
	return d, nil
}

// download reads one version of an object over as many requests as it takes.
type download struct {
	ctx     context.Context
	bucket  *Bucket
	key     string
	body    io.ReadCloser
	etag    *string
	size    int64
	offset  int64
	resumes int
}

// Close ends the reading.
func (d *download) Close() error { return d.body.Close() }

func (d *download) open() error {
	out, err := d.bucket.client.GetObject(d.ctx, &s3.GetObjectInput{Bucket: &d.bucket.name, Key: &d.key, IfMatch: d.etag})
	if err != nil {
		return reduceError(err)
	}
	if out.ContentLength == nil || out.ETag == nil {
		_ = out.Body.Close()
		return errors.New("the answer has no length or no ETag")
	}
	d.body, d.etag, d.size = out.Body, out.ETag, *out.ContentLength
	return nil
}

// Read fails unless there are exactly as many bytes as was announced. It reads one more than that, so that the end is
// reached: there the SDK verifies the checksum.
func (d *download) Read(p []byte) (int, error) {
	n, err := d.read(p[:min(int64(len(p)), d.size+1-d.offset)])
	if d.offset > d.size {
		err = fmt.Errorf("server sent %d bytes of %d", d.offset, d.size)
	}
	return n, err
}

func (d *download) read(p []byte) (int, error) {
	if err := d.ctx.Err(); err != nil {
		return 0, err // data that has been received already could last for long
	}
	n, err := d.body.Read(p)
	d.offset += int64(n)
	// An error after the last byte is not a lost connection: it is the
	// checksum that does not match.
	if err == nil || d.offset >= d.size {
		return n, err
	}
	if d.resumes++; d.resumes > maxResumes {
		return n, fmt.Errorf("connection lost at byte %d of %d, after %d resumes: %w", d.offset, d.size, maxResumes, err)
	}
	return n, d.resume()
}

// resume asks for the rest of the same version of the object. The checksum is not verified then, because S3 has none
// for a range.
func (d *download) resume() error {
	_ = d.body.Close()
	out, err := d.bucket.client.GetObject(d.ctx, &s3.GetObjectInput{
		Bucket:  &d.bucket.name,
		Key:     &d.key,
		IfMatch: d.etag,
		Range:   aws.String(fmt.Sprintf("bytes=%d-", d.offset)),
	})
	if err != nil {
		return fmt.Errorf("resume at byte %d of %d: %w", d.offset, d.size, reduceError(err))
	}
	d.body = out.Body
	// A server that ignores the range starts over, and the output would be garbage.
	if want := fmt.Sprintf("bytes %d-%d/", d.offset, d.size-1); !strings.HasPrefix(aws.ToString(out.ContentRange), want) {
		return fmt.Errorf("resume at byte %d of %d: server sent range %s", d.offset, d.size, foreign.Quote(aws.ToString(out.ContentRange), 64))
	}
	return nil
}
