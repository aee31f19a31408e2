package bucket

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

// incomplete are the keys of uploads that were begun and not ended.
func incomplete(t *testing.T, srv *s3test.Bucket) (keys []string) {
	t.Helper()
	root := open(t, srv, srv.Root)
	out, err := root.client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &root.name})
	require.NoError(t, err)
	for _, u := range out.Uploads {
		keys = append(keys, *u.Key)
	}
	return keys
}

// What a killed worker has left of a key is taken back before the key is uploaded again; that of others stays.
func TestEarlierUploadsAreAborted(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	b := open(t, srv, srv.Producer)
	b.partSize = testPartSize
	for _, key := range []string{"k", "k", "k2", "k/z"} {
		_, err := b.client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: &key})
		require.NoError(t, err)
	}
	require.Len(t, incomplete(t, srv), 4)
	content := make([]byte, testPartSize+1)
	require.NoError(t, b.Upload(t.Context(), "k", bytes.NewReader(content), int64(len(content))))
	require.ElementsMatch(t, []string{"k2", "k/z"}, incomplete(t, srv))
}

// A producer that may not list uploads, or whose store cannot, uploads all the same.
func TestEarlierUploadsThatCannotBeListed(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	for _, status := range []int{http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotImplemented} {
		refused := 0
		b := through(t, srv, srv.Producer, func(_ int64, resp *http.Response) {
			if query := resp.Request.URL.Query(); resp.Request.Method == http.MethodGet && query.Has("uploads") {
				refused++
				require.Equal(t, "k", query.Get("prefix"), "not those of all keys are asked for")
				require.Equal(t, "100", query.Get("max-uploads"))
				resp.StatusCode = status
				replaceBody(resp, "<Error><Code>Refused</Code></Error>")
			}
		})
		b.partSize = testPartSize
		content := make([]byte, testPartSize+1)
		require.NoError(t, b.Upload(t.Context(), "k", bytes.NewReader(content), int64(len(content))))
		require.Positive(t, refused)
	}
}

// An upload that cannot be taken back keeps its parts, which are paid for: it is not left alone. One that is gone is.
func TestEarlierUploadsThatCannotBeAborted(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	producer := open(t, srv, srv.Producer)
	for code, is := range map[string]error{"AccessDenied": ErrAccessDenied, "NoSuchUpload": nil} {
		_, err := producer.client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &producer.name, Key: ptr("k")})
		require.NoError(t, err)
		b := through(t, srv, srv.Producer, func(_ int64, resp *http.Response) {
			if resp.Request.Method == http.MethodDelete {
				resp.StatusCode = http.StatusNotFound
				replaceBody(resp, refusal(code, "no"))
			}
		})
		b.partSize = testPartSize
		content := make([]byte, testPartSize+1)
		require.ErrorIs(t, b.Upload(t.Context(), "k", bytes.NewReader(content), int64(len(content))), is, code)
	}
}

// A store that fails to list uploads is not one that cannot.
func TestEarlierUploadsAreNotForgotten(t *testing.T) {
	t.Parallel()
	b := answering(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	b.partSize = 1
	err := b.Upload(t.Context(), "k", strings.NewReader("xy"), 2)
	require.ErrorIs(t, err, httpclient.ErrUnavailable)
	require.ErrorContains(t, err, "list incomplete uploads")
}
