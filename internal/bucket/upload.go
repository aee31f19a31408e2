package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

const (
	// minPartSize is how much has to be sent again when a request fails. S3 wants at least 5 MiB:
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
	minPartSize      = 32 << 20
	maxParts         = 10_000 // S3's limit
	maxParallelParts = 4      // parts in flight

	abortTimeout = 30 * time.Second

	contentType = "application/octet-stream"
	// Names of metadata; S3 and Go's client write them in lower case.
	createdAt = "created-at"
	keysOf    = "keys"
)

// Upload stores the first size bytes of body under key, and replaces what was there. The object appears only when it
// is complete. A failed upload removes the parts that it sent. Body is read concurrently, and over plain HTTP twice:
// the first time for the signature.
//
// The parts are sections of body. The SDK's transfer manager copies them to memory instead: 90 MB for a 1 GB file,
// and more for larger ones.
func (b *Bucket) Upload(ctx context.Context, key string, body io.ReaderAt, size int64, options ...UploadOption) error {
	u := upload{
		key: key, body: io.NewSectionReader(body, 0, size), metadata: map[string]string{},
		lastCheck: func(context.Context) error { return nil },
	}
	for _, option := range options {
		option(&u)
	}
	put := b.putMultipart
	if size <= b.partSize {
		put = b.putSingle
	}
	if err := put(ctx, u); err != nil {
		return fmt.Errorf("upload %q: %w", key, reduceError(err))
	}
	return nil
}

// upload is an object that is being stored.
type upload struct {
	key       string
	body      *io.SectionReader
	metadata  map[string]string
	lastCheck func(context.Context) error
	shared    bool // see WithSharedKey
	// ifMatch and ifNoneMatch are conditions on what is there before; nil for none.
	ifMatch, ifNoneMatch *string
}

// UploadOption changes an upload.
type UploadOption func(*upload)

// WithCreatedAt stores with the object when its content was made.
func WithCreatedAt(t time.Time) UploadOption {
	return func(u *upload) { u.metadata[createdAt] = t.UTC().Format(time.RFC3339Nano) }
}

// WithKeys stores with the object a fingerprint of the keys that it is encrypted to.
func WithKeys(fingerprint string) UploadOption {
	return func(u *upload) { u.metadata[keysOf] = fingerprint }
}

// WithSharedKey is for a key under which others may be uploading the same content at the same time. Their uploads are not
// taken for leftovers. The first that completes ends the others, which fail with ErrAborted, and so removes what killed
// workers left behind.
func WithSharedKey() UploadOption {
	return func(u *upload) { u.shared = true }
}

// WithLastCheck calls check right before the object appears. Its error ends the upload.
func WithLastCheck(check func(context.Context) error) UploadOption {
	return func(u *upload) { u.lastCheck = check }
}

func (b *Bucket) putSingle(ctx context.Context, u upload) error {
	if err := u.lastCheck(ctx); err != nil {
		return err
	}
	_, err := b.putObject(ctx, u)
	return err
}

// putObject stores an object with one request, and returns its ETag.
func (b *Bucket) putObject(ctx context.Context, u upload) (etag string, err error) {
	out, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:      &b.name,
		Key:         &u.key,
		Body:        u.body,
		ContentType: aws.String(contentType),
		Metadata:    u.metadata,
		IfMatch:     u.ifMatch,
		IfNoneMatch: u.ifNoneMatch,

		ServerSideEncryption: b.sseAlgorithm(),
		SSEKMSKeyId:          b.kmsKeyID,
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), requireReceipt(out.ETag, "ETag")
}

// requireReceipt checks for what every object store returns when it has stored something. The page of a portal has
// none of it, whatever its status.
func requireReceipt(receipt *string, what string) error {
	if aws.ToString(receipt) == "" {
		return fmt.Errorf("%w: it has no %s", ErrNotStore, what)
	}
	return nil
}

func (b *Bucket) putMultipart(ctx context.Context, u upload) error {
	if !u.shared {
		if err := b.abortStaleUploads(ctx, u.key); err != nil {
			return err
		}
	}
	created, err := b.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket:            &b.name,
		Key:               &u.key,
		ContentType:       aws.String(contentType),
		Metadata:          u.metadata,
		ChecksumAlgorithm: b.checksumAlgorithm(),

		ServerSideEncryption: b.sseAlgorithm(),
		SSEKMSKeyId:          b.kmsKeyID,
	})
	if err == nil {
		err = requireReceipt(created.UploadId, "UploadId")
	}
	if err != nil {
		return err
	}
	if err := b.uploadAndComplete(ctx, u, created.UploadId); err != nil {
		return errors.Join(reduceError(err), b.abort(ctx, u.key, created.UploadId))
	}
	if u.shared {
		_ = b.abortStaleUploads(ctx, u.key) // the object is complete: what is left is for the store's lifecycle rule
	}
	return nil
}

func (b *Bucket) uploadAndComplete(ctx context.Context, u upload, id *string) error {
	parts, err := b.uploadParts(ctx, u.key, id, u.body)
	if err != nil {
		return err
	}
	if err := u.lastCheck(ctx); err != nil {
		return err
	}
	out, err := b.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket:          &b.name,
		Key:             &u.key,
		UploadId:        id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return err
	}
	return requireReceipt(out.ETag, "ETag")
}

func (b *Bucket) uploadParts(ctx context.Context, key string, id *string, body *io.SectionReader) ([]types.CompletedPart, error) {
	size := partSize(b.partSize, body.Size())
	parts := make([]types.CompletedPart, (body.Size()+size-1)/size)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxParallelParts)
	for i := range parts {
		offset := int64(i) * size
		section := io.NewSectionReader(body, offset, min(size, body.Size()-offset))
		group.Go(func() (err error) {
			parts[i], err = b.uploadPart(ctx, key, id, int32(i+1), section)
			return err
		})
	}
	return parts, group.Wait()
}

func (b *Bucket) uploadPart(ctx context.Context, key string, id *string, number int32, body io.Reader) (types.CompletedPart, error) {
	sent, err := b.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket:            &b.name,
		Key:               &key,
		UploadId:          id,
		PartNumber:        &number,
		Body:              body,
		ChecksumAlgorithm: b.checksumAlgorithm(),
	})
	if err != nil {
		return types.CompletedPart{}, err
	}
	return types.CompletedPart{PartNumber: &number, ETag: sent.ETag, ChecksumCRC32: sent.ChecksumCRC32}, requireReceipt(sent.ETag, "ETag")
}

// checksumAlgorithm is what the SDK uses for single requests by default. A multipart upload must announce it, or S3
// refuses the parts' checksums.
func (b *Bucket) checksumAlgorithm() types.ChecksumAlgorithm {
	if b.client.Options().RequestChecksumCalculation == aws.RequestChecksumCalculationWhenRequired {
		return ""
	}
	return types.ChecksumAlgorithmCrc32
}

// partSize grows with the object, so that it never needs more than maxParts parts.
func partSize(smallest, size int64) int64 {
	return max(smallest, (size+maxParts-1)/maxParts)
}

func (b *Bucket) sseAlgorithm() types.ServerSideEncryption {
	if b.kmsKeyID == nil {
		return ""
	}
	return types.ServerSideEncryptionAwsKms
}
