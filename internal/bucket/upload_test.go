package bucket

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

// testPartSize is the smallest that the server takes for any but the last part.
const testPartSize = 5 << 20

func randomBytes(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.Read(p)
	return p
}

func TestUpload(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	b := open(t, srv, srv.Producer)
	b.partSize = testPartSize
	tests := []struct {
		name  string
		size  int
		parts int32 // 0: not a multipart upload
	}{
		{name: "empty", size: 0},
		{name: "one byte", size: 1},
		{name: "exactly one part", size: testPartSize},
		{name: "one byte more", size: testPartSize + 1, parts: 2},
		{name: "full last part", size: 2 * testPartSize, parts: 2},
		{name: "more parts than in flight", size: 5*testPartSize + 17, parts: 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The same key each time: an upload replaces what is there.
			const key = "0a/a+b==.tar.age"
			content := randomBytes(tt.size)
			require.NoError(t, b.Upload(t.Context(), key, bytes.NewReader(content), int64(tt.size)))

			var got bytes.Buffer
			require.NoError(t, b.Download(t.Context(), key, "", int64(tt.size), &got))
			require.True(t, bytes.Equal(content, got.Bytes()))

			first := int32(1)
			head, err := b.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &b.name, Key: ptr(key), PartNumber: &first})
			require.NoError(t, err)
			require.Equal(t, contentType, *head.ContentType)
			require.Equal(t, tt.parts, aws.ToInt32(head.PartsCount))
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestFailedUploadLeavesNothing(t *testing.T) {
	t.Parallel()
	errDisk := errors.New("disk failed")
	tests := []struct {
		name string
		read func(cancel context.CancelFunc) error // what reading the third part does
		want error
	}{
		{name: "canceled", want: context.Canceled, read: func(cancel context.CancelFunc) error {
			cancel()
			return nil
		}},
		{name: "unreadable body", want: errDisk, read: func(context.CancelFunc) error { return errDisk }},
		{name: "short body", want: nil, read: func(context.CancelFunc) error { return io.EOF }},
	}
	srv := s3test.Start(t)
	b := open(t, srv, srv.Producer)
	b.partSize = testPartSize
	root := open(t, srv, srv.Root)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			content := bytes.NewReader(randomBytes(4 * testPartSize))
			body := readerAt(func(p []byte, offset int64) (int, error) {
				if offset >= 2*testPartSize {
					if err := tt.read(cancel); err != nil {
						return 0, err
					}
				}
				return content.ReadAt(p, offset)
			})
			err := b.Upload(ctx, "key", body, content.Size())
			require.Error(t, err)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			}
			t.Log(err)
			uploads, err := root.client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &b.name})
			require.NoError(t, err)
			require.Empty(t, uploads.Uploads)
			require.Empty(t, list(t, b))
		})
	}
}

type readerAt func(p []byte, offset int64) (int, error)

func (f readerAt) ReadAt(p []byte, offset int64) (int, error) { return f(p, offset) }

func TestPartSize(t *testing.T) {
	const terabyte = 1 << 40
	for _, size := range []int64{1, minPartSize, 312 << 30, 5 * terabyte, 48*terabyte + 1} {
		part := partSize(minPartSize, size)
		require.GreaterOrEqual(t, part, int64(minPartSize))
		require.LessOrEqual(t, part, int64(5<<30), "S3's largest part")
		require.LessOrEqual(t, (size+part-1)/part, int64(maxParts))
	}
	require.EqualValues(t, minPartSize, partSize(minPartSize, 100<<30))
}
