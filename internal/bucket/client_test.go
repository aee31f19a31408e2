package bucket

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/testserver/s3server"
)

// hurried has the bucket wait for so long only.
func hurried(b *Bucket, limit time.Duration) *Bucket {
	client := b.client.Options().HTTPClient.(*timeLimitedClient)
	client.reading, client.writing = httpclient.Limits{Idle: limit}, httpclient.Limits{Idle: limit}
	return b
}

func TestSilentStore(t *testing.T) {
	t.Parallel()
	const limit = 100 * time.Millisecond
	silent := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}
	for name, operation := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := operation(t.Context(), hurried(answering(t, silent), limit), "key")
			require.ErrorIs(t, err, httpclient.ErrSilent)
			require.ErrorContains(t, err, "for 100ms")
		})
	}
	t.Run("in the middle of a listing", func(t *testing.T) {
		t.Parallel()
		err := listOnce(hurried(answering(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(listPage("", "a")[:100]))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}), limit))
		require.ErrorIs(t, err, httpclient.ErrSilent)
	})
	t.Run("in the middle of each part of an object", func(t *testing.T) {
		t.Parallel()
		requests := 0
		b := answering(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"e"`)
			w.Header().Set("Content-Length", fmt.Sprint(100-requests))
			if requests > 0 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-99/100", requests))
				w.WriteHeader(http.StatusPartialContent)
			}
			requests++
			_, _ = w.Write([]byte{'x'})
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		_, err := hurried(b, limit).Download(t.Context(), "key", io.Discard)
		require.ErrorIs(t, err, httpclient.ErrSilent)
		require.ErrorContains(t, err, "after 10 resumes")
	})
}

func TestNoCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	b, err := Open(t.Context(), Options{Name: "b", PathStyle: true}, config.WithBaseEndpoint("http://127.0.0.1:1"), config.WithRegion(s3server.Region))
	require.NoError(t, err)
	err = listOnce(b)
	require.ErrorIs(t, err, ErrNoCredentials)
	require.ErrorContains(t, err, `list bucket "b": no usable AWS credentials: `)
	t.Log(err)
}

func TestProxyRefusesTheStore(t *testing.T) {
	t.Parallel()
	for status, is := range map[int]error{403: httpclient.ErrProxy, 407: httpclient.ErrProxyAuth} {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(proxy.Close)
		b, err := Open(t.Context(), Options{Name: "b", PathStyle: true}, config.WithBaseEndpoint("https://store.example"), config.WithRegion(s3server.Region),
			config.WithCredentialsProvider(anyCredentials), config.WithRetryMaxAttempts(1), config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
				tr.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
			})))
		require.NoError(t, err)
		err = listOnce(b)
		require.ErrorIs(t, err, is)
		require.ErrorContains(t, err, "the proxy 127.0.0.1")
	}
}

func TestUnknownHost(t *testing.T) {
	t.Parallel()
	b, err := Open(t.Context(), Options{Name: "b", PathStyle: true}, config.WithBaseEndpoint("http://store.invalid"), config.WithRegion(s3server.Region),
		config.WithCredentialsProvider(anyCredentials), config.WithRetryMaxAttempts(1), config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
			tr.Proxy = nil
		})))
	require.NoError(t, err)
	require.ErrorIs(t, listOnce(b), httpclient.ErrNoConnection)
}

func TestWantsTheSDKsOwnClient(t *testing.T) {
	t.Setenv("AWS_CA_BUNDLE", "")
	_, err := Open(t.Context(), Options{Name: "b"}, config.WithRegion("r"))
	require.NoError(t, err)
	_, err = Open(t.Context(), Options{Name: "b"}, config.WithRegion("r"), config.WithHTTPClient(other{}))
	require.ErrorContains(t, err, "no time limits can be set")
}

type other struct{ aws.HTTPClient }

func (other) Do(*http.Request) (*http.Response, error) {
	return &http.Response{Body: io.NopCloser(bytes.NewReader(nil))}, nil
}
