package bucket

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

func TestStart(t *testing.T) {
	t.Parallel()
	s3 := s3test.Start(t)
	direct := open(t, s3, s3.Producer)
	content := make([]byte, 1000)
	_, _ = rand.Read(content)
	put := func(key string, content []byte) {
		t.Helper()
		require.NoError(t, direct.Upload(t.Context(), key, bytes.NewReader(content), int64(len(content))))
	}
	put("key", content)
	put("empty", nil)

	var mu sync.Mutex
	var ranges []string
	var alter func(*http.Response)
	b := through(t, s3, s3.Producer, func(_ int64, resp *http.Response) {
		mu.Lock()
		defer mu.Unlock()
		ranges = append(ranges, resp.Header.Get("Content-Range"))
		if alter != nil {
			alter(resp)
		}
	})
	read := func(key string, n int64) ([]byte, error) {
		s := b.OpenStart(t.Context(), key, 100)
		defer s.Close()
		ranges = nil
		return io.ReadAll(io.LimitReader(s, n))
	}

	for n, want := range map[int64][]string{
		0: nil, 100: {"bytes 0-99/1000"}, 101: {"bytes 0-99/1000", "bytes 100-499/1000"},
		2000: {"bytes 0-99/1000", "bytes 100-499/1000", "bytes 500-999/1000"},
	} {
		got, err := read("key", n)
		require.NoError(t, err)
		require.Equal(t, content[:min(n, 1000)], got)
		require.Equal(t, want, ranges)
	}
	got, err := read("empty", 10)
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = read("nowhere", 10)
	require.ErrorIs(t, err, ErrNotFound)

	s := b.OpenStart(t.Context(), "key", 100)
	defer s.Close()
	_, err = io.CopyN(io.Discard, s, 100)
	require.NoError(t, err)
	object, err := direct.Stat(t.Context(), "key")
	require.NoError(t, err)
	require.Equal(t, object.ETag, s.ETag())
	put("key", content[1:])
	_, err = s.Read(make([]byte, 1))
	require.ErrorIs(t, err, ErrReplaced, "two halves of two objects are none")
	put("key", content)

	alter = func(resp *http.Response) { resp.Header.Set("Content-Range", "bytes 1-100/1000") }
	_, err = read("key", 10)
	require.ErrorContains(t, err, `from byte 0 on, server sent range "bytes 1-100/1000"`)
	alter = func(resp *http.Response) { cut(resp, 50) }
	_, err = read("key", 100)
	require.ErrorContains(t, err, `read start of "key"`)
}

// The ETag of what was read of an object at first has Download fetch the same.
func TestStartIsOfWhatIsDownloaded(t *testing.T) {
	t.Parallel()
	s3 := s3test.Start(t)
	b := open(t, s3, s3.Producer)
	put := func(content string) {
		t.Helper()
		require.NoError(t, b.Upload(t.Context(), "key", bytes.NewReader([]byte(content)), int64(len(content))))
	}
	put("0123456789")
	s := b.OpenStart(t.Context(), "key", 4)
	defer s.Close()
	require.Empty(t, s.ETag())
	start, err := io.ReadAll(io.LimitReader(s, 4))
	require.NoError(t, err)
	require.Equal(t, "0123", string(start))

	var out bytes.Buffer
	require.NoError(t, b.Download(t.Context(), "key", s.ETag(), 10, &out))
	require.NoError(t, b.Download(t.Context(), "key", "", 10, &out))
	require.Equal(t, "01234567890123456789", out.String())
	out.Reset()
	require.ErrorIs(t, b.Download(t.Context(), "key", s.ETag(), 9, &out), ErrReplaced)
	put("abcdefghij")
	require.ErrorIs(t, b.Download(t.Context(), "key", s.ETag(), 10, &out), ErrReplaced)
	require.Empty(t, out.String())
}
