package bucket

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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
		err := hurried(b, 5*limit).Download(t.Context(), "key", "", 100, io.Discard)
		require.ErrorIs(t, err, httpclient.ErrSilent)
		require.ErrorContains(t, err, "after 10 resumes")
	})
}

// The first request after a clock was put back or ahead, or right again, may be one whose refusal says nothing.
func TestStatByAWrongClock(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-48 * time.Hour, -5 * time.Minute, 0, time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			var store, refused atomic.Int64
			b := answering(t, func(w http.ResponseWriter, r *http.Request) {
				now := time.Now().Add(time.Duration(store.Load()))
				w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
				signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
				if err != nil || now.Sub(signed).Abs() > clockTolerance {
					refused.Add(1)
					w.WriteHeader(http.StatusForbidden)
					return
				}
				w.Header().Set("ETag", `"e"`)
				w.Header().Set("Content-Length", "1")
				w.Header().Set("Last-Modified", now.UTC().Format(http.TimeFormat))
			}, config.WithRetryMaxAttempts(2))
			for _, is := range []time.Duration{ahead, 0} {
				store.Store(int64(is))
				_, err := b.Stat(t.Context(), "key")
				require.NoError(t, err)
			}
			require.Equal(t, map[bool]int64{true: 0, false: 2}[ahead == 0], refused.Load(), "requests that were refused")
		})
	}
}

// A store may take its time for what it was sent, and must not for what it is asked.
func TestTimeThatAStoreMayTake(t *testing.T) {
	t.Setenv("AWS_CA_BUNDLE", "")
	for name, tt := range map[string]struct {
		takes time.Duration
		is    error
	}{
		"stat":            {59 * time.Second, nil},
		"list":            {61 * time.Second, httpclient.ErrSilent},
		"download":        {61 * time.Second, httpclient.ErrSilent},
		"upload":          {299 * time.Second, nil},
		"delete":          {301 * time.Second, httpclient.ErrSilent},
		"stat for longer": {61 * time.Second, httpclient.ErrSilent},
	} {
		synctest.Test(t, func(t *testing.T) {
			slow := roundTripper(func(r *http.Request) (*http.Response, error) {
				if r.Body != nil {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				select {
				case <-r.Context().Done():
					return nil, r.Context().Err()
				case <-time.After(tt.takes):
					header := http.Header{"Etag": {"e"}, "Last-Modified": {"Thu, 01 Jan 2026 00:00:00 GMT"}, "Content-Length": {"1"}}
					return &http.Response{StatusCode: http.StatusOK, Header: header, ContentLength: 1, Body: http.NoBody, Request: r}, nil
				}
			})
			b, err := Open(t.Context(), Options{Name: "b"}, config.WithHTTPClient(&http.Client{Transport: slow}), config.WithRegion("r"),
				config.WithCredentialsProvider(anyCredentials), config.WithRetryMaxAttempts(1))
			require.NoError(t, err)
			require.ErrorIs(t, operations[strings.Fields(name)[0]](t.Context(), b, "key"), tt.is, name)
		})
	}
}

// A question to a silent store costs a minute, and not that three times. What was sent may be sent again.
func TestSilentStoreIsAskedOnce(t *testing.T) {
	t.Setenv("AWS_CA_BUNDLE", "")
	for name, want := range map[string]int{"stat": 1, "list": 1, "download": 1, "delete": 3} {
		synctest.Test(t, func(t *testing.T) {
			requests, began := 0, time.Now()
			silent := roundTripper(func(r *http.Request) (*http.Response, error) {
				requests++
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
			b, err := Open(t.Context(), Options{Name: "b"}, config.WithHTTPClient(&http.Client{Transport: silent}), config.WithRegion("r"),
				config.WithCredentialsProvider(anyCredentials))
			require.NoError(t, err)
			require.ErrorContains(t, operations[name](t.Context(), b, "key"), "for 1m0s", name)
			require.Equal(t, want, requests, name)
			require.Equal(t, want == 1, time.Since(began) == time.Minute, name)
		})
	}
}

// Who ends a request does not lack credentials.
func TestEndedWhileCredentialsWereLookedUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	b := answering(t, nil, config.WithCredentialsProvider(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		cancel()
		<-ctx.Done()
		return aws.Credentials{}, ctx.Err()
	})))
	_, err := b.Stat(ctx, "key")
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, ErrNoCredentials)
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

// As many connections as requests go at a time are kept for the next ones.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	const atATime = 32
	var mu sync.Mutex
	connections := map[string]bool{}
	var arrived sync.WaitGroup
	b := answering(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		connections[r.RemoteAddr] = true
		mu.Unlock()
		arrived.Done()
		arrived.Wait() // so that all are there at a time
		w.WriteHeader(http.StatusOK)
	})
	for range 3 {
		arrived.Add(atATime)
		var group sync.WaitGroup
		for range atATime {
			group.Go(func() {
				if _, err := b.Now(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	require.Len(t, connections, atATime)
}
