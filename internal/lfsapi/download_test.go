package lfsapi_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
)

// linkTo serves batches with a link to this server's /object, and what handler says there.
func linkTo(t *testing.T, o lfs.Object, handler http.HandlerFunc) *lfsapi.Client {
	t.Helper()
	return newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/object" {
			handler(w, r)
			return
		}
		w.Header().Set("Content-Type", mediaType)
		link := map[string]any{"href": "http://" + r.Host + "/object"}
		_, _ = io.WriteString(w, batchOf(withActions(o, map[string]any{"download": link, "upload": link})))
	})
}

// Servers that say one thing and send another.
func TestLyingDownloads(t *testing.T) {
	t.Parallel()
	content := random(100_000)
	o := objectOf(content)
	hijack := func(w http.ResponseWriter, text string) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(connection, text)
			_ = connection.Close()
		}
	}
	ranged := func(contentRange string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "" {
				_, _ = w.Write(content)
				return
			}
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(body)
		}
	}
	for name, test := range map[string]struct {
		have   int // bytes of the object that are in the file
		answer http.HandlerFunc
		want   error
		text   string
		left   int // bytes in the file afterwards; -1: the object
	}{
		"too short": {0, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content[:1000]) }, lfsapi.ErrMismatch, "1000 bytes are announced", 0},
		"too short, in chunks": {0, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(content[:1000])
			_ = http.NewResponseController(w).Flush()
		}, lfsapi.ErrMismatch, "it has 1000 bytes, not 100000", 0},
		"too long": {0, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100001")
			_, _ = w.Write(append(bytes.Clone(content), 0))
		}, lfsapi.ErrMismatch, "100001 bytes are announced", 0},
		"endless": {0, func(w http.ResponseWriter, _ *http.Request) {
			for err := error(nil); err == nil; {
				_, err = w.Write(content)
			}
		}, lfsapi.ErrMismatch, "more than 100000 bytes", 0},
		"web page": {0, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>Sign in")
		}, lfsapi.ErrNotLFS, `13 bytes are announced, of the type "text/html", and not 100000`, 0},
		"web page in chunks": {0, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, "<html>Sign in")
			_ = http.NewResponseController(w).Flush()
		}, lfsapi.ErrNotLFS, "but a web page: ", 0},
		"what is said to be a web page, and is the object": {0, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(content)
		}, nil, "", -1},
		"length that is too long": {0, func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n%s", content[:1000]))
		}, httpclient.ErrNoConnection, "broke off after 1000 of 100000 bytes", 1000},
		"length that is not said": {0, func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, fmt.Sprintf("HTTP/1.0 200 OK\r\n\r\n%s", content[:1000]))
		}, httpclient.ErrNoConnection, "broke off after 1000 of 100000 bytes", 1000},
		"length that is none": {0, func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n")
		}, nil, "bad Content-Length", 0},
		"compressed": {0, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(content)
		}, lfsapi.ErrNotLFS, `compressed as "gzip"`, 0},
		"a part of its own accord": {0, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-99999/100000")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(content)
		}, lfsapi.ErrRejected, "http status 206", 0},
		"no content":     {0, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, lfsapi.ErrRejected, "http status 204", 0},
		"not found":      {0, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, lfsapi.ErrMissing, "http status 404", 0},
		"not found, had": {500, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, lfsapi.ErrMissing, "http status 410", 500},

		"the right range":    {500, ranged("bytes 500-99999/100000", content[500:]), nil, "", -1},
		"a wrong part in it": {500, ranged("bytes 500-99999/100000", make([]byte, 99_500)), nil, "", -1},
		"another range":      {500, ranged("bytes 0-99999/100000", content), nil, "", -1},
		"a shorter range":    {500, ranged("bytes 500-999/100000", content[500:1000]), nil, "", -1},
		"of another size":    {500, ranged("bytes 500-99999/200000", content[500:]), nil, "", -1},
		"no range":           {500, ranged("", content[500:]), nil, "", -1},
		"nonsense":           {500, ranged("bytes */99999999999999999999", content[500:]), nil, "", -1},
		"range not satisfiable": {500, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			_, _ = w.Write(content)
		}, nil, "", -1},
		"never satisfiable": {500, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestedRangeNotSatisfiable) }, lfsapi.ErrRejected, "http status 416", 0},
		"error with a part": {500, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, lfsapi.ErrUnavailable, "http status 502", 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := linkTo(t, o, test.answer)
			file := newFile(t, content[:test.have])
			err := client.Download(t.Context(), ask(t, client, lfsapi.Download, o), file)
			want := content
			if test.left >= 0 {
				want = content[:test.left]
			}
			require.True(t, bytes.Equal(want, contentOf(t, file)))
			if test.text == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.text)
			require.ErrorContains(t, err, "download the LFS object "+o.OID)
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
			}
			require.False(t, errors.Is(err, lfsapi.ErrMismatch) && errors.Is(err, lfsapi.ErrNotLFS), "that would say something of the object")
		})
	}
}

// What was wrong once is looked at again before anybody takes the object for another one.
func TestWrongOnce(t *testing.T) {
	t.Parallel()
	content := random(1000)
	o := objectOf(content)
	asked := 0
	client := linkTo(t, o, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		if asked == 1 {
			_, _ = w.Write(make([]byte, 1000))
			return
		}
		_, _ = w.Write(content)
	})
	file := newFile(t, nil)
	require.NoError(t, client.Download(t.Context(), ask(t, client, lfsapi.Download, o), file))
	require.Equal(t, content, contentOf(t, file))
	require.Equal(t, 2, asked)
}

// A file that cannot be written is not the server's fault.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	o, err := server.Add(repo, random(1000))
	require.NoError(t, err)
	err = client.Download(t.Context(), ask(t, client, lfsapi.Download, o), &fullDisk{newFile(t, nil)})
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NotErrorIs(t, err, httpclient.ErrNoConnection)
	require.NotErrorIs(t, err, lfsapi.ErrMismatch)
}

type fullDisk struct{ *os.File }

func (f *fullDisk) WriteAt([]byte, int64) (int, error) {
	return 0, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
}

// An object may be larger than memory.
func TestMemoryStaysFlat(t *testing.T) { // not parallel: it counts what is allocated
	if testing.Short() {
		t.Skip("moves 64 MB")
	}
	const size, allowed = 64 << 20, 4 << 20 // the server's share included
	server, client := newServer(t)
	content := random(size)
	o := objectOf(content)
	up := ask(t, client, lfsapi.Upload, o)
	require.Less(t, allocated(func() {
		require.NoError(t, client.Upload(t.Context(), up, bytes.NewReader(content)))
	}), uint64(allowed), "upload")
	require.True(t, server.Has(repo, o.OID))
	down, file := ask(t, client, lfsapi.Download, o), newFile(t, content[:size/2])
	require.Less(t, allocated(func() {
		require.NoError(t, client.Download(t.Context(), down, file))
	}), uint64(allowed), "download")
	require.True(t, bytes.Equal(content, contentOf(t, file)))
}

// allocated returns the bytes that do allocates, freed or not.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

var errBroken = errors.New("the disk is broken")

type brokenReader struct{}

func (brokenReader) ReadAt([]byte, int64) (int, error) { return 0, errBroken }
