package bucket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server"
	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

// through returns the user's view of the bucket behind a proxy that alters the server's answers.
// The first answer is number 1.
func through(t *testing.T, srv *s3test.Bucket, user s3server.Credentials, alter func(number int64, resp *http.Response)) *Bucket {
	t.Helper()
	target, err := url.Parse(srv.URL())
	require.NoError(t, err)
	var number atomic.Int64
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		ErrorLog: log.New(t.Output(), "proxy: ", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		FlushInterval: -1, // so that what comes before a cut arrives
		ModifyResponse: func(resp *http.Response) error {
			alter(number.Add(1), resp)
			return nil
		},
	})
	t.Cleanup(proxy.Close)
	return open(t, srv, user, config.WithBaseEndpoint(proxy.URL))
}

// cut breaks the connection after n bytes of the body.
func cut(resp *http.Response, n int64) {
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(resp.Body, n), broken{}), resp.Body}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("cut") }

func TestDownloadResumes(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	content := randomBytes(1 << 20)
	producer := open(t, srv, srv.Producer)
	put(t, producer, "key", string(content))

	tests := []struct {
		name  string
		alter func(number int64, resp *http.Response)
		want  string // the error; empty when the download succeeds
		kind  error
	}{
		{name: "never cut", alter: func(int64, *http.Response) {}},
		{name: "cut after one byte", alter: func(number int64, resp *http.Response) {
			if number == 1 {
				cut(resp, 1)
			}
		}},
		{name: "cut as often as allowed", alter: func(number int64, resp *http.Response) {
			if number <= maxResumes {
				cut(resp, 99_999)
			}
		}},
		{name: "cut once too often", want: "connection lost at byte 1100 of 1048576, after 10 resumes", alter: func(_ int64, resp *http.Response) {
			cut(resp, 100)
		}},
		{name: "replaced meanwhile", want: `"PreconditionFailed"`, kind: ErrReplaced, alter: func(number int64, resp *http.Response) {
			if number == 1 {
				put(t, producer, "key", "another version")
				cut(resp, 1000)
			}
		}},
		{name: "deleted meanwhile", want: "resume at byte 1000", kind: ErrNotFound, alter: func(number int64, resp *http.Response) {
			if number == 1 {
				require.NoError(t, producer.Delete(t.Context(), "key"))
				cut(resp, 1000)
			}
		}},
		{name: "range ignored", want: "server sent range", alter: func(number int64, resp *http.Response) {
			if number == 1 {
				cut(resp, 1000)
			}
			resp.Header.Del("Content-Range")
		}},
		{name: "no ETag", want: "no length or no ETag", alter: func(_ int64, resp *http.Response) {
			resp.Header.Del("ETag")
		}},
		{name: "no length", want: "no length or no ETag", alter: func(_ int64, resp *http.Response) {
			resp.ContentLength = -1
			resp.Header.Del("Content-Length")
		}},
		{name: "corrupted", want: "checksum did not match", alter: func(_ int64, resp *http.Response) {
			resp.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(bytes.NewReader([]byte{^content[0]}), skip(resp.Body, 1)), resp.Body}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			put(t, producer, "key", string(content))
			var got bytes.Buffer
			err := through(t, srv, srv.Consumer, tt.alter).Download(t.Context(), "key", "", int64(len(content)), &got)
			if tt.want == "" {
				require.NoError(t, err)
				require.True(t, bytes.Equal(content, got.Bytes()))
				return
			}
			require.ErrorContains(t, err, tt.want)
			if tt.kind != nil {
				require.ErrorIs(t, err, tt.kind)
			}
			t.Log(err)
		})
	}
}

// However much a store sends after a resume, no more is written than was listed, and one byte by which that is noticed.
func TestDownloadEndsAtItsSize(t *testing.T) {
	t.Parallel()
	b := answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"e"`)
		if r.Header.Get("Range") == "" {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "01234") // and no more
			return
		}
		w.Header().Set("Content-Range", "bytes 5-9/10")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, strings.Repeat("x", 1000))
	})
	var got bytes.Buffer
	require.EqualError(t, b.Download(t.Context(), "key", "", 10, &got), `download "key": server sent 11 bytes of 10`)
	require.Equal(t, "01234xxxxxx", got.String())
}

// skip discards the first n bytes of r.
func skip(r io.Reader, n int64) io.Reader {
	_, _ = io.CopyN(io.Discard, r, n)
	return r
}

func TestDownloadStopsWhenTheWriterFails(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	put(t, open(t, srv, srv.Producer), "key", string(randomBytes(1<<20)))
	var requests int64
	b := through(t, srv, srv.Consumer, func(number int64, _ *http.Response) { requests = number })
	errFull := errors.New("disk is full")
	err := b.Download(t.Context(), "key", "", 1<<20, writer(func([]byte) (int, error) { return 0, errFull }))
	require.ErrorIs(t, err, errFull)
	require.EqualValues(t, 1, requests)
}

func TestDownloadStopsWhenCanceled(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	put(t, open(t, srv, srv.Producer), "key", string(randomBytes(8<<20)))
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := open(t, srv, srv.Consumer).Download(ctx, "key", "", 8<<20, writer(func(p []byte) (int, error) {
		cancel()
		n += len(p)
		return len(p), nil
	}))
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, n, 8<<20)
}

type writer func([]byte) (int, error)

func (f writer) Write(p []byte) (int, error) { return f(p) }
