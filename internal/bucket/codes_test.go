package bucket

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
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
		"region without a name":       {301, nil, refusal("PermanentRedirect", "Use the endpoint."), ErrRegion, `the bucket is in another region ("PermanentRedirect"`},
		"region in a header only":     {400, http.Header{"X-Amz-Bucket-Region": {"eu-west-1"}}, refusal("AuthorizationHeaderMalformed", "Wrong."), ErrRegion, `region, "eu-west-1"`},
		"region in words only":        {400, nil, refusal("AuthorizationHeaderMalformed", "the region 'r' is wrong"), ErrRegion, "the region 'r' is wrong"},
		"signature without its parts": {400, nil, refusal("AuthorizationHeaderMalformed", "No Credential."), nil, `: "AuthorizationHeaderMalformed"`},
		"expired":                     {400, nil, refusal("ExpiredToken", "The provided token has expired."), ErrExpired, "have expired"},
		"clock":                       {403, http.Header{"Date": {"Thu, 01 Jan 2026 00:00:00 GMT"}}, refusal("RequestTimeTooSkewed", "The difference is too large."), ErrClock, `the store's is at "Thu, 01 Jan 2026`},
		"clock without a date":        {403, http.Header{"Date": nil}, refusal("RequestTimeTooSkewed", "The difference is too large."), ErrClock, `the clocks differ by too much ("RequestTimeTooSkewed"`},
		"key is disabled":             {400, nil, refusal("KMS.DisabledException", "key is disabled"), ErrKMS, "the encryption key was refused"},
		"key is not allowed":          {403, nil, refusal("AccessDenied", "not authorized to perform: kms:GenerateDataKey"), ErrKMS, "kms:GenerateDataKey"},
		"denied":                      {403, http.Header{"X-Amz-Bucket-Region": {"eu-west-1"}}, refusal("AccessDenied", "Access Denied"), ErrAccessDenied, `access denied ("AccessDenied"`},
		"checksum":                    {400, nil, refusal("InvalidRequest", "The value specified in the x-amz-trailer header is not supported"), ErrChecksum, "request's checksum"},
		"not the checksum":            {400, nil, refusal("InvalidRequest", "Missing required header"), nil, `: "InvalidRequest"`},
		"checksum, not built":         {501, nil, refusal("NotImplemented", "A header you provided implies functionality that is not implemented"), ErrChecksum, "request's checksum"},
		"quota":                       {403, nil, refusal("QuotaExceeded", ""), ErrFull, "full"},
		"disk":                        {507, nil, refusal("XMinioStorageFull", "no space"), ErrFull, "full"},
		"archived":                    {403, nil, refusal("InvalidObjectState", "not valid for the object's storage class"), ErrArchived, "archived"},
		"slow down":                   {503, nil, refusal("SlowDown", "Please reduce your request rate."), httpclient.ErrRateLimited, "reduce your request rate"},
		"too many requests":           {429, nil, "", httpclient.ErrRateLimited, "too many requests"},
		"internal error":              {500, nil, refusal("InternalError", "We encountered an internal error."), httpclient.ErrUnavailable, "internal error"},
		"a bare 500":                  {500, nil, "", httpclient.ErrUnavailable, "unavailable"},
		"a page of a broken store":    {500, http.Header{"Content-Type": {html}}, "<html>Oops</html>", httpclient.ErrUnavailable, "http status 500 Internal Server Error)"},
		"cut off":                     {503, nil, "<Error><Code>SlowDo", httpclient.ErrUnavailable, "unavailable (http status 503 Service Unavailable)"},
		"bad gateway":                 {502, http.Header{"Content-Type": {html}, "Server": {"nginx"}}, "<html>Bad Gateway</html>", httpclient.ErrUnavailable, `http status 502 Bad Gateway from "nginx"`},
		"nginx":                       {413, http.Header{"Content-Type": {html}}, "<html>", ErrTooLarge, "http status 413"},
		"a proxy's page":              {403, http.Header{"Content-Type": {html}, "Server": {"squid/5.7"}}, "<html>Access Denied<br>", ErrIntermediary, `something before the object store refused the request (http status 403 Forbidden from "squid/5.7")`},
		"a proxy without a login":     {407, http.Header{"Content-Type": {html}}, "<html>", httpclient.ErrProxyAuth, "the proxy wants credentials"},
		"a portal":                    {511, http.Header{"Content-Type": {html}}, "<html>", ErrIntermediary, "http status 511"},
		"hostile words":               {400, nil, refusal("Odd&#x202e;", strings.Repeat("long &#x202e;", 1000)), nil, `"Odd": "long long`},
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

// A store that says when to come back is not asked again before; one that does not is.
func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	for after, want := range map[string]int{"7": 1, "": 3} {
		requests := 0
		b := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			requests++
			w.Header().Set("Retry-After", after)
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(refusal("SlowDown", "Please reduce your request rate.")))
		}, config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 3, time.Millisecond })
		}))
		err := listOnce(b)
		require.ErrorIs(t, err, httpclient.ErrRateLimited)
		var asked interface{ RetryAfter() time.Duration }
		require.ErrorAs(t, err, &asked)
		require.Equal(t, after != "", asked.RetryAfter() == 7*time.Second)
		require.Equal(t, want, requests)
	}
}

// Some stores want Content-MD5 for it, some cannot do it at all.
func TestDeletesSinglyWhereItHasTo(t *testing.T) {
	t.Parallel()
	refused := func(code string) string {
		return refusal(code, "Missing required header for this request: Content-MD5")
	}
	for name, tt := range map[string]struct {
		status int
		body   string
	}{
		"MissingContentMD5":  {400, refused("MissingContentMD5")},
		"InvalidRequest":     {400, refused("InvalidRequest")},
		"NotImplemented":     {501, refused("NotImplemented")},
		"MethodNotAllowed":   {405, refused("MethodNotAllowed")},
		"not implemented":    {501, refused("Odd")},
		"method not allowed": {405, refused("Odd")},
		"without its length": {411, refused("Odd")},
	} {
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
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.body))
		})
		require.NoError(t, b.Delete(t.Context(), "a+b", "c"), name)
		require.Equal(t, []string{"/b/a+b", "/b/c"}, deleted, name)
	}
	requests := 0
	b := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if requests++; r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.WriteHeader(http.StatusNotImplemented)
	})
	require.ErrorIs(t, b.Delete(t.Context(), "a", "b"), ErrAccessDenied)
	require.Equal(t, 2, requests, "who may not delete one may not delete the next")
	b = answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(refusal("InternalError", "We encountered an internal error.")))
	})
	require.ErrorIs(t, b.Delete(t.Context(), "a", "b"), httpclient.ErrUnavailable)
}

// Whatever a store calls it, an operator is told the same, and what there is to do.
func TestKindsOfCodes(t *testing.T) {
	t.Parallel()
	for kind, codes := range map[error][]string{
		ErrNotFound:               {"NoSuchKey", "NotFound"},
		ErrKeyTooLong:             {"KeyTooLongError", "XMinioInvalidObjectName"},
		ErrNoBucket:               {"NoSuchBucket"},
		ErrReplaced:               {"PreconditionFailed"},
		ErrClock:                  {"RequestTimeTooSkewed", "RequestInTheFuture", "RequestNotYetValid"},
		ErrAccessDenied:           {"AccessDenied", "InvalidToken"},
		ErrExpired:                {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"},
		ErrRegion:                 {"PermanentRedirect", "MovedPermanently", "TemporaryRedirect", "IllegalLocationConstraintException"},
		ErrFull:                   {"QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull", "InsufficientStorage"},
		ErrTooLarge:               {"EntityTooLarge"},
		ErrArchived:               {"InvalidObjectState"},
		ErrKMS:                    {"KMS.DisabledException", "KMSNotConfigured"},
		ErrChecksum:               {"XAmzContentSHA256Mismatch", "MalformedTrailerError"},
		httpclient.ErrUnavailable: {"InternalError", "ServiceUnavailable"},
		httpclient.ErrRateLimited: {"SlowDown", "SlowDownRead", "SlowDownWrite", "TooManyRequests", "RequestLimitExceeded", "Throttling", "ThrottlingException",
			"BandwidthLimitExceeded"},
	} {
		for _, code := range codes {
			require.Equal(t, kind, (&apiError{Code: code, Status: http.StatusBadRequest}).Unwrap(), code)
		}
	}
	for kind, statuses := range map[error][]int{
		ErrAccessDenied:           {401, 403},
		ErrTooLarge:               {413},
		ErrFull:                   {507},
		httpclient.ErrRateLimited: {429},
		httpclient.ErrUnavailable: {500, 502, 503, 504},
		nil:                       {400, 404, 409},
	} {
		for _, status := range statuses {
			require.Equal(t, kind, (&apiError{Code: "Odd", Status: status}).Unwrap(), status)
		}
	}
}
