package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// maxStaleUploads bounds how many incomplete uploads of one key are aborted before the next upload.
const maxStaleUploads = 100

// abortStaleUploads aborts the incomplete uploads of exactly this key that killed workers left behind. If the store
// does not list uploads, or refuses it, they stay until its lifecycle rule removes them.
func (b *Bucket) abortStaleUploads(ctx context.Context, key string) error {
	out, err := b.incompleteUploads(ctx, key, maxStaleUploads)
	if err != nil {
		return err
	}
	for _, earlier := range out.Uploads {
		if aws.ToString(earlier.Key) != key {
			continue
		}
		if err := b.abort(ctx, key, earlier.UploadId); err != nil {
			return fmt.Errorf("incomplete upload of %s: %w", aws.ToTime(earlier.Initiated), err)
		}
	}
	return nil
}

// AbortUploads aborts what was begun so long ago, by the store's clock, and never completed, of the keys that isOurs tells, and
// returns how many these were. It looks at the first thousand of the bucket's incomplete uploads. Where the store does not list them,
// refuses it, or does not tell its time, it leaves them to the store's lifecycle rule.
func (b *Bucket) AbortUploads(ctx context.Context, age time.Duration, isOurs func(key string) bool) (aborted int, err error) {
	out, err := b.incompleteUploads(ctx, "", pageSize)
	if err != nil {
		return 0, err
	}
	now, _ := awsmiddleware.GetServerTime(out.ResultMetadata)
	for _, u := range out.Uploads {
		key := aws.ToString(u.Key)
		if u.Initiated == nil || now.Sub(*u.Initiated) < age || !isOurs(key) {
			continue
		}
		if err := b.abort(ctx, key, u.UploadId); err != nil {
			return aborted, fmt.Errorf("incomplete upload of %q: %w", key, err)
		}
		aborted++
	}
	return aborted, nil
}

// incompleteUploads lists uploads that were begun and not completed. There are none where the store does not list them.
func (b *Bucket) incompleteUploads(ctx context.Context, prefix string, limit int32) (*s3.ListMultipartUploadsOutput, error) {
	out, err := b.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &b.name, Prefix: optional(prefix), MaxUploads: &limit})
	if err == nil {
		return out, nil
	}
	err = reduceError(err)
	if api, ok := errors.AsType[*apiError](err); ok && (errors.Is(err, ErrAccessDenied) || api.Status == http.StatusNotImplemented || api.Status == http.StatusMethodNotAllowed) {
		return &s3.ListMultipartUploadsOutput{}, nil
	}
	return nil, fmt.Errorf("list incomplete uploads: %w", err)
}

// abort removes the parts that were sent, also when ctx was cancelled: until then, S3 keeps and bills them.
func (b *Bucket) abort(ctx context.Context, key string, id *string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, err := b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.name, Key: &key, UploadId: id})
	if err == nil {
		return nil
	}
	err = reduceError(err)
	if api, ok := errors.AsType[*apiError](err); ok && api.Code == "NoSuchUpload" {
		return nil
	}
	return fmt.Errorf("abort: %w", err)
}
