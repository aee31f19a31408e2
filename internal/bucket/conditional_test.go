package bucket

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

// Of several writers that have read the same, one stores its content, and the others are told.
func TestPutIsConditional(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	b := open(t, srv, srv.Producer)
	_, err := b.Put(t.Context(), "k", []byte("x"), `"of an object that has gone"`)
	require.ErrorIs(t, err, ErrChanged)
	etag, err := b.Put(t.Context(), "k", []byte("first"), "")
	require.NoError(t, err)
	_, err = b.Put(t.Context(), "k", []byte("x"), "")
	require.ErrorIs(t, err, ErrChanged)
	for round := range 10 {
		var won atomic.Int64
		next := make([]string, 6)
		var writers sync.WaitGroup
		for i := range next {
			writers.Go(func() {
				written, err := b.Put(t.Context(), "k", fmt.Appendf(nil, "%d of round %d", i, round), etag)
				if err == nil {
					won.Add(1)
					next[i] = written
					return
				}
				require.ErrorIs(t, err, ErrChanged)
			})
		}
		writers.Wait()
		require.EqualValues(t, 1, won.Load())
		stored, err := b.Stat(t.Context(), "k")
		require.NoError(t, err)
		require.Contains(t, next, stored.ETag)
		etag = stored.ETag
	}
}

// A store without conditional writes is looked at before.
func TestPutWhereTheStoreKnowsNoConditions(t *testing.T) {
	t.Parallel()
	var etag, stored string
	refused := 0
	b := answering(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("If-Match")+r.Header.Get("If-None-Match") != "":
			refused++
			w.WriteHeader(http.StatusNotImplemented)
			_, _ = io.WriteString(w, refusal("NotImplemented", "A header you provided implies functionality that is not implemented"))
		case r.Method == http.MethodPut:
			body, _ := io.ReadAll(r.Body)
			stored, etag = string(body), `"new"`
			w.Header().Set("ETag", etag)
		case etag == "":
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Header().Set("ETag", etag)
			w.Header().Set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
			w.Header().Set("Content-Length", "1")
		}
	})
	for _, tt := range []struct {
		now, read string
		is        error
	}{
		{"", "", nil},
		{`"a"`, `"a"`, nil},
		{"", `"a"`, ErrChanged},
		{`"a"`, "", ErrChanged},
		{`"b"`, `"a"`, ErrChanged},
	} {
		etag, stored = tt.now, ""
		got, err := b.Put(t.Context(), "k", []byte("content"), tt.read)
		require.ErrorIs(t, err, tt.is)
		require.Equal(t, tt.is == nil, got == `"new"`)
		require.Equal(t, tt.is == nil, bytes.Contains([]byte(stored), []byte("content")))
	}
	require.Equal(t, 5, refused)
}

// What a store says when the condition does not hold, and what says nothing of it.
func TestWhatSaysChanged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status  int
		code    string
		changed bool
	}{
		{412, "PreconditionFailed", true},
		{409, "ConditionalRequestConflict", true},
		{404, "NoSuchKey", true},
		{404, "NoSuchBucket", false},
		{403, "AccessDenied", false},
		{500, "InternalError", false},
	} {
		b := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, refusal(tt.code, "no"))
		})
		_, err := b.Put(t.Context(), "k", []byte("x"), `"a"`)
		require.Error(t, err)
		require.NotErrorIs(t, err, ErrChecksum)
		if tt.changed {
			require.ErrorIs(t, err, ErrChanged, tt.code)
		} else {
			require.NotErrorIs(t, err, ErrChanged, tt.code)
		}
	}
}
