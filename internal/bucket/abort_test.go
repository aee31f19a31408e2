package bucket

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
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

var initiated = regexp.MustCompile(`<Initiated>[^<]*</Initiated>`)

// What killed workers have left of keys that nobody uploads again is taken back when it is old enough, by the store's clock: not that of
// others, nor what may still be at work.
func TestOldUploadsAreAborted(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	b := open(t, srv, srv.Producer)
	for _, key := range []string{"ours", "others"} {
		_, err := b.client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: &key})
		require.NoError(t, err)
	}
	isOurs := func(key string) bool { return key == "ours" }
	for _, of := range []struct {
		age     time.Duration
		aborted int
	}{{23 * time.Hour, 0}, {25 * time.Hour, 1}} {
		aged := through(t, srv, srv.Producer, func(_ int64, resp *http.Response) {
			if resp.Request.Method == http.MethodGet {
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				begun := time.Now().Add(-of.age).UTC().Format(time.RFC3339)
				replaceBody(resp, initiated.ReplaceAllString(string(body), "<Initiated>"+begun+"</Initiated>"))
			}
		})
		aborted, err := aged.AbortUploads(t.Context(), 24*time.Hour, isOurs)
		require.NoError(t, err)
		require.Equal(t, of.aborted, aborted)
	}
	require.Equal(t, []string{"others"}, incomplete(t, srv))
}

// A store that does not list uploads, or does not tell its time, keeps them.
func TestOldUploadsThatAreNotKnown(t *testing.T) {
	t.Parallel()
	upload := "<Upload><Key>k</Key><UploadId>1</UploadId><Initiated>2020-01-01T00:00:00Z</Initiated></Upload>"
	for status, body := range map[int]string{
		http.StatusForbidden: refusal("AccessDenied", "no"), http.StatusNotImplemented: refusal("NotImplemented", "no"),
		http.StatusOK: "<ListMultipartUploadsResult>" + upload + "</ListMultipartUploadsResult>",
	} {
		b := answering(t, func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, http.MethodGet, r.Method)
			w.Header()["Date"] = nil
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
		aborted, err := b.AbortUploads(t.Context(), time.Hour, func(string) bool { return true })
		require.NoError(t, err, status)
		require.Zero(t, aborted, status)
	}
}

// Where several upload the same under one key, none takes the other's upload for a leftover. The first to complete ends the
// others, and what a killed worker has left.
func TestSharedKey(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	b := open(t, srv, srv.Producer)
	b.partSize = testPartSize
	upload := func(body io.ReaderAt) error {
		return b.Upload(t.Context(), "k", body, testPartSize+1, WithSharedKey(), WithKeys("fingerprint"))
	}
	_, err := b.client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: ptr("k")})
	require.NoError(t, err)
	content := bytes.NewReader(make([]byte, testPartSize+1))
	both := 0
	err = upload(&interruptedBody{ReaderAt: content, when: func() {
		both = len(incomplete(t, srv))
		require.NoError(t, upload(content))
	}})
	require.Equal(t, 2, both)
	require.ErrorIs(t, err, ErrAborted, "the other was first")
	require.Empty(t, incomplete(t, srv))
	stored, err := b.Stat(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, "fingerprint", stored.Keys)
	require.EqualValues(t, testPartSize+1, stored.Size)
}

// interruptedBody is a body before whose first read something happens.
type interruptedBody struct {
	io.ReaderAt
	once sync.Once
	when func()
}

func (b *interruptedBody) ReadAt(p []byte, offset int64) (int, error) {
	b.once.Do(b.when)
	return b.ReaderAt.ReadAt(p, offset)
}
