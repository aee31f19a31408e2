package bucket

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

func TestReadStart(t *testing.T) {
	t.Parallel()
	s3 := s3test.Start(t)
	b, err := Open(t.Context(), Options{Name: s3.Name, PathStyle: true}, s3.ClientConfig(s3.Producer))
	require.NoError(t, err)
	put := func(key, content string) {
		t.Helper()
		require.NoError(t, b.Upload(t.Context(), key, bytes.NewReader([]byte(content)), int64(len(content))))
	}
	put("key", "0123456789")
	var sent int64
	start, etag, err := through(t, s3, s3.Producer, func(_ int64, resp *http.Response) { sent = resp.ContentLength }).ReadFirstBytes(t.Context(), "key", 4)
	require.NoError(t, err)
	require.Equal(t, "0123", string(start))
	require.EqualValues(t, 4, sent, "no more is asked for")
	object, err := b.Stat(t.Context(), "key")
	require.NoError(t, err)
	require.Equal(t, etag, object.ETag)
	whole, again, err := b.ReadFirstBytes(t.Context(), "key", 100)
	require.NoError(t, err)
	require.Equal(t, "0123456789", string(whole))
	require.Equal(t, etag, again)

	var out bytes.Buffer
	require.NoError(t, b.Download(t.Context(), "key", etag, 10, &out))
	require.NoError(t, b.Download(t.Context(), "key", "", 10, &out))
	require.Equal(t, "01234567890123456789", out.String())
	out.Reset()
	require.ErrorIs(t, b.Download(t.Context(), "key", etag, 9, &out), ErrReplaced)
	put("key", "abcdefghij")
	require.ErrorIs(t, b.Download(t.Context(), "key", etag, 10, &out), ErrReplaced)
	require.Empty(t, out.String())

	put("empty", "")
	start, _, err = b.ReadFirstBytes(t.Context(), "empty", 4)
	require.NoError(t, err)
	require.Empty(t, start)
	_, _, err = b.ReadFirstBytes(t.Context(), "nowhere", 4)
	require.ErrorIs(t, err, ErrNotFound)
}
