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
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

// uploads are both ways in which an object is stored.
var uploads = map[string]int{"whole": 1, "in parts": testPartSize + 1}

func TestCreatedAtIsKept(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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

// A captive portal answers 200 to everything. Its page is no receipt.
func TestPortalStoresNothing(t *testing.T) {
	t.Parallel()
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

// What a store does not say of an object is not guessed.
func TestStatWithoutAllItsParts(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	put(t, open(t, srv, srv.Producer), "here", "x")
	for _, header := range []string{"Last-Modified", "Content-Length", "ETag"} {
		_, err := through(t, srv, srv.Producer, func(_ int64, resp *http.Response) {
			resp.Header.Del(header)
		}).Stat(t.Context(), "here")
		require.ErrorIs(t, err, ErrNotStore, header)
	}
}

// The answer to a HEAD request has no body. Why a store took it for a bad one, it says of another request.
func TestBadStatIsExplained(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	_, err := open(t, srv, srv.Producer).Stat(t.Context(), strings.Repeat("k", 256))
	require.ErrorIs(t, err, ErrKeyTooLong)
	for _, tt := range []struct {
		status int
		why    string
		kind   error
	}{
		{http.StatusBadRequest, refusal("ExpiredToken", "The provided token has expired."), ErrExpired},
		{http.StatusBadRequest, "", nil},
		{http.StatusOK, "x", nil},
	} {
		b := answering(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.why))
		})
		_, err := b.Stat(t.Context(), "key")
		require.ErrorContains(t, err, `stat "key": `)
		if tt.kind != nil {
			require.ErrorIs(t, err, tt.kind)
		} else {
			require.ErrorContains(t, err, `"BadRequest"`)
		}
	}
}

func replaceBody(resp *http.Response, text string) {
	resp.Body = io.NopCloser(strings.NewReader(text))
	resp.ContentLength = int64(len(text))
	resp.Header.Set("Content-Length", strconv.Itoa(len(text)))
}
