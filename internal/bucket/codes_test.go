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
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/testserver/s3server"
)

// refusal is an error as S3 sends it.
func refusal(code, message string) string {
	return fmt.Sprintf(`<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>`, code, message)
}

func listOnce(b *Bucket) error {
	for _, err := range b.List(context.Background(), "") {
		return err
	}
	return nil
}

func TestAnswersHaveKinds(t *testing.T) {
	t.Parallel()
	const html = "text/html; charset=utf-8"
	for name, tt := range map[string]struct {
		status int
		header http.Header
		body   string
		is     error
		want   string
	}{
		"region": {301, http.Header{"X-Amz-Bucket-Region": {"eu-west-1"}}, refusal("PermanentRedirect", "Use the endpoint."), ErrRegion,
			`the bucket is in another region, "eu-west-1"`},
		"region of the signature": {400, http.Header{"X-Amz-Bucket-Region": {"eu-west-1"}},
			refusal("AuthorizationHeaderMalformed", "the region 'r' is wrong; expecting 'eu-west-1'"), ErrRegion, "expecting 'eu-west-1'"},
		"expired":                 {400, nil, refusal("ExpiredToken", "The provided token has expired."), ErrExpired, "have expired"},
		"clock":                   {403, http.Header{"Date": {"Thu, 01 Jan 2026 00:00:00 GMT"}}, refusal("RequestTimeTooSkewed", "The difference is too large."), ErrClock, `the store's is at "Thu, 01 Jan 2026`},
		"key is disabled":         {400, nil, refusal("KMS.DisabledException", "key is disabled"), ErrKMS, "the encryption key was refused"},
		"key is not allowed":      {403, nil, refusal("AccessDenied", "not authorized to perform: kms:GenerateDataKey"), ErrKMS, "kms:GenerateDataKey"},
		"denied":                  {403, nil, refusal("AccessDenied", "Access Denied"), ErrAccessDenied, "access denied"},
		"checksum":                {400, nil, refusal("InvalidRequest", "The value specified in the x-amz-trailer header is not supported"), ErrChecksum, "request's checksum"},
		"checksum, not built":     {501, nil, refusal("NotImplemented", "A header you provided implies functionality that is not implemented"), ErrChecksum, "request's checksum"},
		"quota":                   {403, nil, refusal("QuotaExceeded", ""), ErrFull, "full"},
		"disk":                    {507, nil, refusal("XMinioStorageFull", "no space"), ErrFull, "full"},
		"archived":                {403, nil, refusal("InvalidObjectState", "not valid for the object's storage class"), ErrArchived, "archived"},
		"slow down":               {503, nil, refusal("SlowDown", "Please reduce your request rate."), httpclient.ErrRateLimited, "reduce your request rate"},
		"too many requests":       {429, nil, "", httpclient.ErrRateLimited, "too many requests"},
		"internal error":          {500, nil, refusal("InternalError", "We encountered an internal error."), httpclient.ErrUnavailable, "internal error"},
		"a bare 500":              {500, nil, "", httpclient.ErrUnavailable, "unavailable"},
		"bad gateway":             {502, http.Header{"Content-Type": {html}, "Server": {"nginx"}}, "<html>Bad Gateway</html>", httpclient.ErrUnavailable, `http status 502 Bad Gateway from "nginx"`},
		"nginx":                   {413, http.Header{"Content-Type": {html}}, "<html>", ErrTooLarge, "http status 413"},
		"a proxy's page":          {403, http.Header{"Content-Type": {html}, "Server": {"squid/5.7"}}, "<html>Access Denied<br>", ErrIntermediary, `something before the object store refused the request (http status 403 Forbidden from "squid/5.7")`},
		"a proxy without a login": {407, http.Header{"Content-Type": {html}}, "<html>", httpclient.ErrProxyAuth, "the proxy wants credentials"},
		"a portal":                {511, http.Header{"Content-Type": {html}}, "<html>", ErrIntermediary, "http status 511"},
		"hostile words":           {400, nil, refusal("Odd&#x202e;", strings.Repeat("long &#x202e;", 1000)), nil, `"Odd": "long long`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := listOnce(answering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/xml")
				for key, values := range tt.header {
					w.Header()[key] = values
				}
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}))
			require.ErrorContains(t, err, tt.want)
			require.Less(t, len(err.Error()), 500)
			require.NotContains(t, err.Error(), "\u202e")
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			t.Log(err)
		})
	}
}

// A store that says when to come back is not asked again before.
func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	requests := 0
	b := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(refusal("SlowDown", "Please reduce your request rate.")))
	}, config.WithRetryMaxAttempts(3))
	err := listOnce(b)
	require.ErrorIs(t, err, httpclient.ErrRateLimited)
	var asked interface{ RetryAfter() time.Duration }
	require.ErrorAs(t, err, &asked)
	require.Equal(t, 7*time.Second, asked.RetryAfter())
	require.Equal(t, 1, requests)
}

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

// Some stores want Content-MD5 for it, some cannot do it at all.
func TestDeletesSinglyWhereItHasTo(t *testing.T) {
	t.Parallel()
	for code, status := range map[string]int{"MissingContentMD5": 400, "InvalidRequest": 400, "NotImplemented": 501, "MethodNotAllowed": 405} {
		var mu sync.Mutex
		var deleted []string
		b := answering(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodDelete {
				mu.Lock()
				defer mu.Unlock()
				deleted = append(deleted, r.URL.Path)
				w.WriteHeader(http.StatusNoContent)
				return
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(refusal(code, "Missing required header for this request: Content-MD5")))
		})
		require.NoError(t, b.Delete(t.Context(), "a+b", "c"), code)
		require.Equal(t, []string{"/b/a+b", "/b/c"}, deleted, code)
	}
	b := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(refusal("InternalError", "We encountered an internal error.")))
	})
	require.ErrorIs(t, b.Delete(t.Context(), "a", "b"), httpclient.ErrUnavailable)
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
