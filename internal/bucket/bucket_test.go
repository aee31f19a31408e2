package bucket

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server"
	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

// open returns the server's bucket as one of its users sees it.
func open(t *testing.T, srv *s3test.Bucket, user s3server.Credentials, load ...func(*config.LoadOptions) error) *Bucket {
	t.Helper()
	load = append([]func(*config.LoadOptions) error{srv.ClientConfig(user)}, load...)
	b, err := Open(t.Context(), Options{Name: srv.Name, PathStyle: true}, load...)
	require.NoError(t, err)
	return b
}

func put(t *testing.T, b *Bucket, key, content string) {
	t.Helper()
	require.NoError(t, b.Upload(t.Context(), key, strings.NewReader(content), int64(len(content))))
}

func list(t *testing.T, b *Bucket) map[string]int64 {
	t.Helper()
	sizes := make(map[string]int64)
	for object, err := range b.List(t.Context(), "") {
		require.NoError(t, err)
		require.NotContains(t, sizes, object.Key)
		require.False(t, object.Modified.IsZero())
		require.NotEmpty(t, object.ETag)
		sizes[object.Key] = object.Size
	}
	return sizes
}

func TestKeysRoundTrip(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	b := open(t, srv, srv.Producer)
	require.Empty(t, list(t, b))

	// The JSON's ">>>" and "~~~" make + in base64; its length makes the padding.
	plus := base64.StdEncoding.EncodeToString([]byte(`{"group":">>>~~~>>","branch":"~>~>~"}`)) + ".tar.age"
	require.Contains(t, plus, "+")
	require.Contains(t, plus, "=")
	want := map[string]int64{}
	for i, key := range []string{"YQ==.tar.age", plus, strings.Repeat("0a", 20) + "/" + plus, "a%2Bb.tar.age", "ü ?&#.tar.age"} {
		put(t, b, key, strings.Repeat("x", i))
		want[key] = int64(i)
	}
	require.Equal(t, want, list(t, b))

	for key, size := range want {
		var got bytes.Buffer
		require.NoError(t, b.Download(t.Context(), key, "", size, &got))
		require.EqualValues(t, size, got.Len())
		object, err := b.Stat(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, key, object.Key)
		require.Equal(t, size, object.Size)
	}
}

func TestMoreThanOnePage(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	b := open(t, srv, srv.Producer)
	keys := make([]string, 1005) // S3 lists and deletes 1000 at a time
	var group errgroup.Group
	group.SetLimit(8)
	for i := range keys {
		keys[i] = fmt.Sprintf("%04d+=.tar.age", i)
		group.Go(func() error { return b.Upload(t.Context(), keys[i], strings.NewReader(""), 0) })
	}
	require.NoError(t, group.Wait())
	require.Len(t, list(t, b), len(keys))

	for object, err := range b.List(t.Context(), "") {
		require.NoError(t, err)
		require.Equal(t, keys[0], object.Key)
		break
	}

	var requests int64
	counted := through(t, srv, srv.Producer, func(number int64, _ *http.Response) { requests = number })
	require.NoError(t, counted.Delete(t.Context(), keys[1:]...))
	require.EqualValues(t, 2, requests)
	require.Equal(t, map[string]int64{keys[0]: 0}, list(t, b))
}

// A prefix is part of a key as S3 has it: base64 holds + and /, which mean something else in URLs.
func TestListPrefix(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	b := open(t, srv, srv.Producer)
	for _, key := range []string{"0a/a+b==", "0a/a+c==", "0a/a b==", "0b/a+b=="} {
		put(t, b, key, "")
	}
	for prefix, want := range map[string][]string{
		"0a/a+": {"0a/a+b==", "0a/a+c=="},
		"0a/a ": {"0a/a b=="},
		"0b/":   {"0b/a+b=="},
		"none":  nil,
	} {
		var got []string
		for object, err := range b.List(t.Context(), prefix) {
			require.NoError(t, err)
			got = append(got, object.Key)
		}
		require.Equal(t, want, got, prefix)
	}
}

func TestDeleteMissingKey(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	b := open(t, srv, srv.Producer)
	put(t, b, "here", "x")
	require.NoError(t, b.Delete(t.Context()))
	require.NoError(t, b.Delete(t.Context(), "never/was", "here"))
	require.Empty(t, list(t, b))
}

func TestOpenNeedsRegion(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	_, err := Open(context.Background(), Options{Name: "b"})
	require.ErrorContains(t, err, "no region")
}
