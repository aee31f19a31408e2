package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// maxStaleUploads bounds how many incomplete uploads of one key are aborted before the next upload.
const maxStaleUploads = 100

// abortStaleUploads aborts the incomplete uploads of exactly this key that killed workers left behind. If the store
// does not list uploads, or refuses it, they stay until its lifecycle rule removes them.
func (b *Bucket) abortStaleUploads(ctx context.Context, key string) error {
	out, err := b.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &b.name, Prefix: &key, MaxUploads: aws.Int32(maxStaleUploads)})
	if err != nil {
		err = reduceError(err)
		if api, ok := errors.AsType[*apiError](err); ok && (errors.Is(err, ErrAccessDenied) || api.Status == http.StatusNotImplemented || api.Status == http.StatusMethodNotAllowed) {
			return nil
		}
		return fmt.Errorf("list incomplete uploads: %w", err)
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
