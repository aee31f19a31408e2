// Package bucket stores objects in one S3 bucket.
//
// Every transfer streams: memory does not grow with an object's size.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Options name the bucket, and say how it is addressed and encrypted.
type Options struct {
	Name string
	// PathStyle puts the bucket's name into the URL's path instead of the host name, as most servers other than AWS need
	// it.
	PathStyle bool
	// KMSKeyID makes the store encrypt objects with that key of its key management service (SSE-KMS). If it is empty,
	// the bucket's own default applies.
	KMSKeyID string
}

// Bucket is safe for concurrent use.
type Bucket struct {
	client   *s3.Client
	name     string
	kmsKeyID *string
	partSize int64
}

// ObjectInfo describes a stored object.
type ObjectInfo struct {
	Key      string
	Size     int64 // bytes
	Modified time.Time
	ETag     string // changes with the content; as the server writes it, most often in quotes
	// CreatedAt is what WithCreatedAt stored, or zero. Only Stat returns it.
	CreatedAt time.Time
	// Keys is what WithKeys stored, or empty. Only Stat returns it.
	Keys string
	// Now is the store's clock when it was asked, as Bucket.Now returns it. Only Stat returns it, also with ErrNotFound.
	Now time.Time
}

// Open configures a client from the standard AWS environment: credential chain,
// region, AWS_ENDPOINT_URL, FIPS, retries and checksums. It makes no request to
// the bucket. Further load options override the environment.
func Open(ctx context.Context, opts Options, load ...func(*config.LoadOptions) error) (*Bucket, error) {
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return nil, errors.New("load AWS configuration: no region is set")
	}
	limited, err := newTimeLimitedClient(cfg.HTTPClient)
	if err != nil {
		return nil, err
	}
	cfg.HTTPClient = limited
	cfg.Credentials = namedCredentials{cfg.Credentials}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		if retryer, ok := o.Retryer.(aws.RetryerV2); ok {
			o.Retryer = serverPacedRetryer{retryer}
		}
		o.UsePathStyle = opts.PathStyle
		// The SDK would warn about every object that was uploaded in parts: S3
		// keeps no checksum over the whole of them.
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	return &Bucket{client: client, name: opts.Name, kmsKeyID: optional(opts.KMSKeyID), partSize: minPartSize}, nil
}

// Endpoint is the URL of the S3 server from the environment or a profile. It is empty for AWS's own.
func (b *Bucket) Endpoint() string { return aws.ToString(b.client.Options().BaseEndpoint) }

// Stat returns what the store says of one object. It fails with ErrNotFound when there is no such object or no such
// bucket, which S3 does not tell apart here.
func (b *Bucket) Stat(ctx context.Context, key string) (ObjectInfo, error) {
	head, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		err = b.explain(ctx, key, reduceError(err))
		return ObjectInfo{Now: timeOf(err)}, fmt.Errorf("stat %q: %w", key, err)
	}
	if head.LastModified == nil || head.ContentLength == nil || aws.ToString(head.ETag) == "" {
		return ObjectInfo{}, fmt.Errorf("stat %q: %w: it has no Last-Modified, Content-Length or ETag", key, ErrNotStore)
	}
	// Anyone who may write to the bucket may write this: a malformed time counts as none.
	created, _ := time.Parse(time.RFC3339Nano, head.Metadata[createdAt])
	now, _ := awsmiddleware.GetServerTime(head.ResultMetadata)
	return ObjectInfo{
		Key: key, Size: *head.ContentLength, Modified: *head.LastModified, ETag: *head.ETag,
		CreatedAt: created.UTC(), Keys: head.Metadata[keysOf], Now: now,
	}, nil
}

// timeOf is the store's clock when it answered with an error; zero if it did not tell it.
func timeOf(err error) (now time.Time) {
	if answer, ok := errors.AsType[*apiError](err); ok {
		now, _ = http.ParseTime(answer.Header.Get("Date"))
	}
	return now
}

// explain asks for an object itself whose HEAD request was a bad one: that answer has no body that could say why, be it
// the key's length or a token that has expired.
func (b *Bucket) explain(ctx context.Context, key string, err error) error {
	if refused, ok := errors.AsType[*apiError](err); !ok || refused.Status != http.StatusBadRequest {
		return err
	}
	start := b.OpenStart(ctx, key, 1)
	defer start.Close() //nolint:errcheck // it was only read
	_, why := start.Read(make([]byte, 1))
	if said, ok := errors.AsType[*apiError](why); ok {
		return said
	}
	return err
}

// Now is the store's clock, in whole seconds. It is the zero time when the store does not tell it.
func (b *Bucket) Now(ctx context.Context) (time.Time, error) {
	head, err := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.name})
	if err != nil {
		return time.Time{}, fmt.Errorf("bucket %q: %w", b.name, reduceError(err))
	}
	now, _ := awsmiddleware.GetServerTime(head.ResultMetadata)
	return now, nil
}

// maxBatch is the most keys that S3 deletes in one request.
const maxBatch = 1000

// Delete removes the objects with these keys. A key that does not exist is no error. It returns the joined errors of
// all keys that could not be removed.
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	var errs []error
	for batch := range slices.Chunk(keys, maxBatch) {
		errs = append(errs, b.deleteBatch(ctx, batch))
	}
	return errors.Join(errs...)
}

func (b *Bucket) deleteBatch(ctx context.Context, keys []string) error {
	batch := make([]types.ObjectIdentifier, len(keys))
	for i := range keys {
		batch[i].Key = &keys[i]
	}
	out, err := b.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &b.name,
		Delete: &types.Delete{Objects: batch, Quiet: aws.Bool(true)},
	})
	if err != nil {
		if err = reduceError(err); refusesBatchDelete(err) {
			return b.deleteSingly(ctx, keys)
		}
		return fmt.Errorf("delete %d objects, the first %q: %w", len(keys), keys[0], err)
	}
	var errs []error
	requestID, _ := awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
	for _, e := range out.Errors {
		failed := &apiError{Code: aws.ToString(e.Code), Message: aws.ToString(e.Message), RequestID: requestID}
		errs = append(errs, fmt.Errorf("delete %q: %w", aws.ToString(e.Key), failed))
	}
	return errors.Join(errs...)
}

// deleteSingly is for stores that refuse to delete several objects at a time. It stops at the first error, because a
// store that refuses this, too, will refuse all.
func (b *Bucket) deleteSingly(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if _, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &key}); err != nil {
			return fmt.Errorf("delete %q: %w", key, reduceError(err))
		}
	}
	return nil
}
