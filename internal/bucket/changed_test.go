package bucket

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

func TestGetIfChanged(t *testing.T) {
	t.Parallel()
	s3 := s3test.Start(t)
	writer := open(t, s3, s3.Producer)
	var statuses []int
	var alter func(*http.Response)
	b := through(t, s3, s3.Consumer, func(_ int64, resp *http.Response) {
		statuses = append(statuses, resp.StatusCode)
		if alter != nil {
			alter(resp)
		}
	})
	get := func(known string) (string, string, error) {
		content, etag, err := b.GetIfChanged(t.Context(), "key", known, 10)
		return string(content), etag, err
	}
	_, _, err := get("")
	require.ErrorIs(t, err, ErrNotFound)

	put(t, writer, "key", "one")
	content, first, err := get("")
	require.NoError(t, err)
	require.Equal(t, "one", content)
	statuses = nil
	for range 3 {
		content, etag, err := get(first)
		require.ErrorIs(t, err, ErrUnchanged)
		require.Empty(t, content)
		require.Equal(t, first, etag)
	}
	require.Equal(t, []int{304, 304, 304}, statuses, "one request each, without a body")

	put(t, writer, "key", "another")
	content, second, err := get(first)
	require.NoError(t, err)
	require.Equal(t, "another", content)
	require.NotEqual(t, first, second)

	put(t, writer, "key", "longer than any")
	content, _, err = get(second)
	require.NoError(t, err)
	require.Equal(t, "longer tha", content)

	alter = func(resp *http.Response) { resp.Header.Del("ETag") }
	_, _, err = get("")
	require.ErrorIs(t, err, ErrNotStore)
	alter = func(resp *http.Response) { cut(resp, 2) }
	_, _, err = get("")
	require.ErrorContains(t, err, `get "key": `)
	require.NoError(t, writer.Delete(t.Context(), "key"))
	alter = nil
	_, _, err = get(second)
	require.ErrorIs(t, err, ErrNotFound)
	_, _, err = open(t, s3, s3.Consumer, config.WithBaseEndpoint("http://127.0.0.1:1")).GetIfChanged(t.Context(), "key", second, 10)
	require.ErrorIs(t, err, httpclient.ErrRefused)
}

// A store that ignores the condition sends the object again. Its ETag tells that it is the same, and it is not read.
func TestGetIfChangedFromStoresWithoutConditions(t *testing.T) {
	t.Parallel()
	s3 := s3test.Start(t)
	weak := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"1"`)
		_, _ = w.Write([]byte("one"))
	}))
	defer weak.Close()
	b := open(t, s3, s3.Consumer, config.WithBaseEndpoint(weak.URL))
	content, etag, err := b.GetIfChanged(t.Context(), "key", `"0"`, 10)
	require.NoError(t, err)
	require.Equal(t, "one", string(content))
	content, again, err := b.GetIfChanged(t.Context(), "key", etag, 10)
	require.ErrorIs(t, err, ErrUnchanged)
	require.Empty(t, content)
	require.Equal(t, etag, again)
}
