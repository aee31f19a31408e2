package lfsapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// A server may refuse an upload before it has read it.
func TestUploadAnsweredEarly(t *testing.T) {
	t.Parallel()
	content := random(20 << 20)
	o := objectOf(content)
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"refused": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) }, lfsapi.ErrTooLarge},
		"refused, but read": {func(w http.ResponseWriter, r *http.Request) {
			answer := http.NewResponseController(w)
			_ = answer.EnableFullDuplex()
			w.Header().Set("Content-Length", "9") // after which the client's transport still sends for a while
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			_, _ = io.WriteString(w, "too large")
			_ = answer.Flush()
			time.Sleep(20 * time.Millisecond)
			_, _ = io.Copy(io.Discard, r.Body)
		}, lfsapi.ErrTooLarge},
		"closed": {func(w http.ResponseWriter, _ *http.Request) {
			if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = connection.Close()
			}
		}, httpclient.ErrNoConnection},
		"closed in the middle": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
			panic(http.ErrAbortHandler)
		}, httpclient.ErrNoConnection},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := linkTo(t, o, test.answer)
			lent := &lentReader{content: content}
			err := client.Upload(t.Context(), ask(t, client, lfsapi.Upload, o), lent)
			lent.back.Store(true)
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, "upload the LFS object "+o.OID)
			time.Sleep(50 * time.Millisecond)
			require.False(t, lent.readLate.Load(), "it was read after the upload")
		})
	}
}

// lentReader notices when it is read after it was given back.
type lentReader struct {
	content        []byte
	back, readLate atomic.Bool
}

func (r *lentReader) ReadAt(p []byte, off int64) (int, error) {
	if r.back.Load() {
		r.readLate.Store(true)
	}
	return bytes.NewReader(r.content).ReadAt(p, off)
}

// Content that cannot be read is not the server's fault, and nothing of it counts as uploaded.
func TestContentThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, chunked := range []string{"", "chunked"} {
		v := newWorld(content)
		v.link = map[string]any{"href": store + "/object", "header": map[string]string{"Transfer-Encoding": chunked}}
		client := v.client(t, git)
		transfer := ask(t, client, lfsapi.Upload, objectOf(content))
		err := client.Upload(t.Context(), transfer, brokenReader{})
		require.ErrorIs(t, err, errBroken)
		err = client.Upload(t.Context(), transfer, bytes.NewReader(content[:5]))
		require.ErrorContains(t, err, "the content ends before its size")
		require.NotErrorIs(t, err, httpclient.ErrNoConnection)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	content := random(1000)
	for status, want := range map[int]error{
		200: nil, 404: lfsapi.ErrRejected, 422: lfsapi.ErrRejected, 500: lfsapi.ErrServerFailed, 507: lfsapi.ErrFull,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			server, client := newServer(t)
			if want != nil {
				server.Switch(func(s *gitserver.LFSSwitches) { s.VerifyStatus = status })
			}
			err := client.Upload(t.Context(), ask(t, client, lfsapi.Upload, objectOf(content)), bytes.NewReader(content))
			require.ErrorIs(t, err, want)
			require.Equal(t, 1, server.Counts().Uploads)
			if want == nil {
				require.Equal(t, 1, server.Counts().Verified)
				return
			}
			require.ErrorContains(t, err, ": verify: ")
		})
	}
}

// A verification that has to wait does not send the object again.
func TestVerifyPatiently(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	server.Switch(func(s *gitserver.LFSSwitches) { s.VerifyStatus, s.Failures, s.RetryAfter = 503, 1, "1" })
	content := random(1000)
	require.NoError(t, client.Upload(t.Context(), ask(t, client, lfsapi.Upload, objectOf(content)), bytes.NewReader(content)))
	require.Equal(t, gitserver.LFSCounts{Batches: 1, Uploads: 1, Verified: 1, UploadedBytes: 1000}, server.Counts())
}

// A link that is refused is asked for again, once, and so is one that is about to expire.
func TestRenewedLinks(t *testing.T) {
	t.Parallel()
	content := random(1000)
	for name, test := range map[string]struct {
		switches  gitserver.LFSSwitches
		batches   int // after the first one
		transfers int
		want      error
	}{
		"refused once":    {gitserver.LFSSwitches{DownloadStatus: 403, UploadStatus: 401, Failures: 1}, 1, 2, nil},
		"refused twice":   {gitserver.LFSSwitches{DownloadStatus: 401, UploadStatus: 403, Failures: 2}, 1, 2, lfsapi.ErrLinkRefused},
		"about to expire": {gitserver.LFSSwitches{ExpiresIn: 20 * time.Second}, 1, 1, nil},
		"expired, store":  {gitserver.LFSSwitches{ExpiresIn: -time.Minute, Store: true}, 1, 1, lfsapi.ErrLinkRefused},
		"lives for hours": {gitserver.LFSSwitches{ExpiresIn: time.Hour, Store: true}, 0, 1, nil},
	} {
		for _, op := range []lfsapi.Operation{lfsapi.Download, lfsapi.Upload} {
			t.Run(name+" "+string(op), func(t *testing.T) {
				t.Parallel()
				server, client := newServer(t)
				server.Switch(func(s *gitserver.LFSSwitches) { *s = test.switches })
				var err error
				if op == lfsapi.Download {
					_, err = server.Add(repo, content)
					require.NoError(t, err)
					err = client.Download(t.Context(), ask(t, client, op, objectOf(content)), newFile(t, nil))
				} else {
					err = client.Upload(t.Context(), ask(t, client, op, objectOf(content)), bytes.NewReader(content))
				}
				require.ErrorIs(t, err, test.want)
				counts := server.Counts()
				require.Equal(t, 1+test.batches, counts.Batches)
				if test.want == nil || !test.switches.Store {
					require.Equal(t, test.transfers, counts.Uploads+counts.Downloads)
				}
			})
		}
	}
}

// An object that somebody else has uploaded meanwhile is not sent.
func TestUploadedMeanwhile(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	server.Switch(func(s *gitserver.LFSSwitches) { s.ExpiresIn = time.Second })
	content := random(1000)
	transfer := ask(t, client, lfsapi.Upload, objectOf(content))
	_, err := server.Add(repo, content)
	require.NoError(t, err)
	require.NoError(t, client.Upload(t.Context(), transfer, bytes.NewReader(content)))
	require.Zero(t, server.Counts().Uploads)
}

// An object that is lost between the answer and the download is missing.
func TestLostMeanwhile(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	o, err := server.Add(repo, []byte("x"))
	require.NoError(t, err)
	transfer := ask(t, client, lfsapi.Download, o)
	require.NoError(t, os.Remove(server.Path(repo, o.OID)))
	require.ErrorIs(t, client.Download(t.Context(), transfer, newFile(t, nil)), lfsapi.ErrMissing)
	require.Equal(t, 2, server.Counts().Batches)
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	server.Switch(func(s *gitserver.LFSSwitches) { s.BatchStatus, s.RetryAfter = 503, "20" })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := client.Batch(ctx, repo, lfsapi.Upload, []lfs.Object{objectOf(nil)})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, lfsapi.ErrUnavailable)
}
