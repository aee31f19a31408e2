package bucket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

// uploads are both ways in which an object is stored.
var uploads = map[string]int{"whole": 1, "in parts": testPartSize + 1}

func TestCreatedAtIsKept(t *testing.T) {
	srv := s3test.Start(t)
	b := open(t, srv, srv.Producer)
	b.partSize = testPartSize
	created := time.Date(2026, 5, 4, 3, 2, 1, 123456789, time.FixedZone("", 3600))
	for name, size := range uploads {
		require.NoError(t, b.Upload(t.Context(), name, bytes.NewReader(make([]byte, size)), int64(size), WithCreatedAt(created)))
		object, err := b.Stat(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, created.UTC(), object.CreatedAt)
		require.WithinDuration(t, time.Now(), object.Modified, time.Minute)
	}
	put(t, b, "without", "x")
	object, err := b.Stat(t.Context(), "without")
	require.NoError(t, err)
	require.Zero(t, object.CreatedAt)
}

func TestNow(t *testing.T) {
	srv := s3test.Start(t)
	now, err := open(t, srv, srv.Producer).Now(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), now, 5*time.Second)

	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }))
	defer silent.Close()
	now, err = open(t, srv, srv.Producer, config.WithBaseEndpoint(silent.URL)).Now(t.Context())
	require.NoError(t, err)
	require.Zero(t, now)
}

// The last check comes after everything is sent, and nothing appears when it fails.
func TestLastCheck(t *testing.T) {
	srv := s3test.Start(t)
	b := open(t, srv, srv.Producer)
	b.partSize = testPartSize
	late := errors.New("too late")
	for name, size := range uploads {
		err := b.Upload(t.Context(), name, bytes.NewReader(make([]byte, size)), int64(size), WithLastCheck(func(context.Context) error {
			require.Empty(t, list(t, b))
			return late
		}))
		require.ErrorIs(t, err, late)
		require.Empty(t, list(t, b))
		require.Empty(t, incomplete(t, srv))
	}
}

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
	srv := s3test.Start(t)
	for _, status := range []int{http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotImplemented} {
		refused := 0
		b := through(t, srv, srv.Producer, func(_ int64, resp *http.Response) {
			if resp.Request.Method == http.MethodGet && resp.Request.URL.Query().Has("uploads") {
				refused++
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

// A captive portal answers 200 to everything. Its page is no receipt.
func TestPortalStoresNothing(t *testing.T) {
	srv := s3test.Start(t)
	put(t, open(t, srv, srv.Producer), "here", "x")
	portal := func(method, query string) *Bucket {
		b := through(t, srv, srv.Producer, func(_ int64, resp *http.Response) {
			if resp.Request.Method == method && strings.Contains(resp.Request.URL.RawQuery, query) {
				resp.StatusCode = http.StatusOK
				resp.Header = http.Header{"Content-Type": {"text/html"}}
				replaceBody(resp, "<html><body>Please sign in</body></html>")
			}
		})
		b.partSize = testPartSize
		return b
	}
	steps := []struct {
		name          string
		size          int
		method, query string
	}{
		{"put", 1, http.MethodPut, ""},
		{"create", testPartSize + 1, http.MethodPost, "uploads"},
		{"part", testPartSize + 1, http.MethodPut, "partNumber"},
		{"complete", testPartSize + 1, http.MethodPost, "uploadId"},
	}
	for _, step := range steps {
		err := portal(step.method, step.query).Upload(t.Context(), "k", bytes.NewReader(make([]byte, step.size)), int64(step.size))
		require.ErrorIs(t, err, ErrNotStore, step.name)
	}
	_, err := portal(http.MethodHead, "").Stat(t.Context(), "here")
	require.ErrorIs(t, err, ErrNotStore)
}

func replaceBody(resp *http.Response, text string) {
	resp.Body = io.NopCloser(strings.NewReader(text))
	resp.ContentLength = int64(len(text))
	resp.Header.Set("Content-Length", strconv.Itoa(len(text)))
}
