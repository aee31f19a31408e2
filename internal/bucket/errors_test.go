package bucket

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/testserver/s3server"
	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

var anyCredentials = credentials.NewStaticCredentialsProvider("access", "secret", "")

// operations runs each of the bucket's methods on a key.
var operations = map[string]func(ctx context.Context, b *Bucket, key string) error{
	"list": func(ctx context.Context, b *Bucket, _ string) error {
		for _, err := range b.List(ctx, "") {
			return err
		}
		return nil
	},
	"stat": func(ctx context.Context, b *Bucket, key string) error {
		_, err := b.Stat(ctx, key)
		return err
	},
	"download": func(ctx context.Context, b *Bucket, key string) error {
		return b.Download(ctx, key, "", 3, io.Discard)
	},
	"upload": func(ctx context.Context, b *Bucket, key string) error {
		return b.Upload(ctx, key, strings.NewReader("new"), 3)
	},
	"upload in parts": func(ctx context.Context, b *Bucket, key string) error {
		b.partSize = 2
		return b.Upload(ctx, key, strings.NewReader("new"), 3)
	},
	"put": func(ctx context.Context, b *Bucket, key string) error {
		_, err := b.Put(ctx, key, []byte("new"), "")
		return err
	},
	"delete": func(ctx context.Context, b *Bucket, key string) error { return b.Delete(ctx, key) },
}

func TestErrors(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	put(t, open(t, srv, srv.Producer), "here", "old")

	wrongSecret := s3server.Credentials{AccessKey: srv.Producer.AccessKey, SecretKey: "wrong-secret-key"}
	unknown := s3server.Credentials{AccessKey: "nobody", SecretKey: "wrong-secret-key"}
	tests := []struct {
		name   string
		user   s3server.Credentials
		bucket string
		key    string
		want   map[string]error // by operation; an absent one is not run
	}{
		{
			name: "wrong secret", user: wrongSecret, bucket: srv.Name, key: "here",
			want: all(ErrAccessDenied),
		},
		{
			name: "unknown access key", user: unknown, bucket: srv.Name, key: "here",
			want: all(ErrAccessDenied),
		},
		{
			name: "reader", user: srv.Consumer, bucket: srv.Name, key: "here",
			want: map[string]error{
				"list": nil, "stat": nil, "download": nil,
				"upload": ErrAccessDenied, "upload in parts": ErrAccessDenied, "put": ErrAccessDenied, "delete": ErrAccessDenied,
			},
		},
		{
			name: "missing object", user: srv.Consumer, bucket: srv.Name, key: "gone+=.tar.age",
			want: map[string]error{"stat": ErrNotFound, "download": ErrNotFound},
		},
		{
			name: "missing bucket", user: srv.Root, bucket: "missing", key: "here",
			want: map[string]error{
				"list": ErrNoBucket, "stat": ErrNotFound, "download": ErrNoBucket,
				"upload": ErrNoBucket, "upload in parts": ErrNoBucket, "put": ErrNoBucket, "delete": ErrNoBucket,
			},
		},
	}
	for _, tt := range tests {
		for operation, want := range tt.want {
			t.Run(tt.name+"/"+operation, func(t *testing.T) {
				b := open(t, srv, tt.user)
				b.name = tt.bucket
				err := operations[operation](t.Context(), b, tt.key)
				require.ErrorIs(t, err, want)
				if err == nil {
					return
				}
				t.Log(err)
				require.Less(t, len(err.Error()), 250)
				require.NotContains(t, err.Error(), tt.user.SecretKey)
				require.NotContains(t, err.Error(), "http")
				if operation != "list" {
					require.ErrorContains(t, err, tt.key)
				}
			})
		}
	}
	require.Equal(t, map[string]int64{"here": 3}, list(t, open(t, srv, srv.Consumer)))
}

func all(err error) map[string]error {
	want := make(map[string]error)
	for operation := range operations {
		want[operation] = err
	}
	return want
}

func TestDeleteNamesEachKey(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	err := open(t, srv, srv.Consumer).Delete(t.Context(), "a", "b")
	require.ErrorIs(t, err, ErrAccessDenied)
	require.ErrorContains(t, err, `delete "a": access denied`)
	require.ErrorContains(t, err, `delete "b": access denied`)

	err = answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Request-Id", "4442587FB7D0A2F9")
		_, _ = io.WriteString(w, "<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code><Message>The object is locked.</Message></Error></DeleteResult>")
	}).Delete(t.Context(), "a", "b")
	require.EqualError(t, err, `delete "a": access denied ("AccessDenied": "The object is locked.", request "4442587FB7D0A2F9")`)
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	b, err := Open(t.Context(), Options{Name: "b", PathStyle: true}, config.WithBaseEndpoint(closed.URL),
		config.WithRegion(s3server.Region), config.WithRetryMaxAttempts(1), config.WithCredentialsProvider(anyCredentials))
	require.NoError(t, err)
	_, err = b.Stat(t.Context(), "k")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.ErrorIs(t, err, httpclient.ErrRefused)
	require.EqualError(t, err, `stat "k": connection to `+closed.Listener.Addr().String()+" refused: nothing listens there")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Stat(ctx, "k")
	require.ErrorIs(t, err, context.Canceled)
	require.NotContains(t, err.Error(), "S3", "the SDK's words around it say nothing more")
}
