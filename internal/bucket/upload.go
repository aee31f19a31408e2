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
	// minPartSize is what a failed request costs to repeat. S3 wants at least
	// 5 MiB: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
	minPartSize = 32 << 20
	maxParts    = 10_000 // S3's limit
	parallel    = 4      // parts in flight

	abortTimeout = 30 * time.Second

	contentType = "application/octet-stream"
)

// Upload stores the first size bytes of body under key and replaces what was
// there. The object appears only when it is complete, and a failed upload takes
// back the parts that it sent. Body is read concurrently, and over plain HTTP
// twice: the first time for the signature.
//
// The parts are sections of body. The SDK's transfer manager copies them to
// memory instead: 90 MB for a 1 GB file, and more the larger the file is.
func (b *Bucket) Upload(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	put := b.putParts
	if size <= b.partSize {
		put = b.putWhole
	}
	if err := put(ctx, key, io.NewSectionReader(body, 0, size)); err != nil {
		return fmt.Errorf("upload %q: %w", key, cause(err))
	}
	return nil
}

func (b *Bucket) putWhole(ctx context.Context, key string, body *io.SectionReader) error {
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:      &b.name,
		Key:         &key,
		Body:        body,
		ContentType: aws.String(contentType),

		ServerSideEncryption: b.encryption(),
		SSEKMSKeyId:          b.kmsKeyID,
	})
	return err
}

func (b *Bucket) putParts(ctx context.Context, key string, body *io.SectionReader) error {
	created, err := b.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket:            &b.name,
		Key:               &key,
		ContentType:       aws.String(contentType),
		ChecksumAlgorithm: b.checksumAlgorithm(),

		ServerSideEncryption: b.encryption(),
		SSEKMSKeyId:          b.kmsKeyID,
	})
	if err != nil {
		return err
	}
	parts, err := b.sendParts(ctx, key, created.UploadId, body)
	if err == nil {
		_, err = b.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket:          &b.name,
			Key:             &key,
			UploadId:        created.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
	}
	if err != nil {
		return errors.Join(cause(err), b.abort(ctx, key, created.UploadId))
	}
	return nil
}

func (b *Bucket) sendParts(ctx context.Context, key string, id *string, body *io.SectionReader) ([]types.CompletedPart, error) {
	size := partSize(b.partSize, body.Size())
	parts := make([]types.CompletedPart, (body.Size()+size-1)/size)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range parts {
		offset := int64(i) * size
		section := io.NewSectionReader(body, offset, min(size, body.Size()-offset))
		group.Go(func() (err error) {
			parts[i], err = b.sendPart(ctx, key, id, int32(i+1), section)
			return err
		})
	}
	return parts, group.Wait()
}

func (b *Bucket) sendPart(ctx context.Context, key string, id *string, number int32, body io.Reader) (types.CompletedPart, error) {
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
	return types.CompletedPart{PartNumber: &number, ETag: sent.ETag, ChecksumCRC32: sent.ChecksumCRC32}, nil
}

// abort removes the parts that were sent, also when ctx is what ended the
// upload: S3 keeps and bills them until then.
func (b *Bucket) abort(ctx context.Context, key string, id *string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, err := b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.name, Key: &key, UploadId: id})
	if err == nil {
		return nil
	}
	err = cause(err)
	if api, ok := errors.AsType[*apiError](err); ok && api.Code == "NoSuchUpload" {
		return nil
	}
	return fmt.Errorf("abort: %w", err)
}

// checksumAlgorithm is what the SDK picks for single requests by default. A
// multipart upload must announce it, or S3 refuses the parts' checksums.
func (b *Bucket) checksumAlgorithm() types.ChecksumAlgorithm {
	if b.client.Options().RequestChecksumCalculation == aws.RequestChecksumCalculationWhenRequired {
		return ""
	}
	return types.ChecksumAlgorithmCrc32
}

// partSize grows the parts with the object, so that there are never too many.
func partSize(smallest, size int64) int64 {
	return max(smallest, (size+maxParts-1)/maxParts)
}

func (b *Bucket) encryption() types.ServerSideEncryption {
	if b.kmsKeyID == nil {
		return ""
	}
	return types.ServerSideEncryptionAwsKms
}
