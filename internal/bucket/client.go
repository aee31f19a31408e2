package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

const (
	// idleTimeout is how long the store may be silent.
	idleTimeout = time.Minute
	// storeTimeout is how long the store may be silent after a write: stores that keep objects as files then assemble an
	// object of many parts.
	storeTimeout = 5 * time.Minute
)

// timeLimitedClient is an HTTP client that ends requests when the store is silent.
type timeLimitedClient struct {
	client  *http.Client
	reading httpclient.Limits
	writing httpclient.Limits
}

// Do implements aws.HTTPClient.
func (l *timeLimitedClient) Do(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return httpclient.Do(l.client, req, l.writing)
	}
	resp, err := httpclient.Do(l.client, req, l.reading)
	if errors.Is(err, httpclient.ErrSilent) {
		err = silentRead{err}
	}
	return resp, err
}

// silentRead says that the store was silent when it was asked. The question is not asked again here: who waits for the answer
// has waited long enough, and knows whether to try again.
type silentRead struct{ error }

func (s silentRead) Unwrap() error { return s.error }

// newTimeLimitedClient adds time limits to the SDK's client, which trusts AWS_CA_BUNDLE. Redirects are followed by
// the SDK's rules instead of package redirect's, because S3 sends requests for a new bucket to another host (307).
// That is safe: a signature is valid for one host only, and the session token is not sent to another.
func newTimeLimitedClient(configured aws.HTTPClient) (*timeLimitedClient, error) {
	l := &timeLimitedClient{reading: httpclient.Limits{Idle: idleTimeout}, writing: httpclient.Limits{Idle: idleTimeout, Answer: storeTimeout}}
	if configured == nil { // the SDK leaves it to its clients
		configured = awshttp.NewBuildableClient()
	}
	if buildable, ok := configured.(*awshttp.BuildableClient); ok {
		configured = buildable.WithTransportOptions(func(t *http.Transport) {
			t.OnProxyConnectResponse = httpclient.CheckProxyAnswer
			t.MaxIdleConnsPerHost = httpclient.MaxIdlePerHost
		}).Freeze()
	}
	client, ok := configured.(*http.Client)
	if !ok {
		return nil, fmt.Errorf("no time limits can be set for a %T", configured)
	}
	l.client = client
	return l, nil
}

// serverPacedRetryer does not retry before the time that the store has named, nor what the store did not answer. It leaves that
// to the caller.
type serverPacedRetryer struct{ aws.RetryerV2 }

// IsErrorRetryable implements aws.RetryerV2.
func (p serverPacedRetryer) IsErrorRetryable(err error) bool {
	if answer, ok := asAPIError(err); ok && answer.RetryAfter() > 0 {
		return false
	}
	if _, silent := errors.AsType[silentRead](err); silent {
		return false
	}
	return isOfAnotherTime(err) || p.RetryerV2.IsErrorRetryable(err)
}

// clockTolerance is how far this machine's clock and the store's may be apart: what the SDK takes for a wrong clock, too.
const clockTolerance = 4 * time.Minute

// isOfAnotherTime tells that a HEAD request was refused and had been signed at another time than the store's. The SDK signs by the
// store's clock once a refusal says so, and the answer to HEAD has no body that could: the next attempt is signed rightly.
func isOfAnotherTime(err error) bool {
	resp, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok || resp.HTTPStatusCode() != http.StatusForbidden || resp.HTTPResponse().Request.Method != http.MethodHead {
		return false
	}
	signed, err := time.Parse("20060102T150405Z", resp.HTTPResponse().Request.Header.Get("X-Amz-Date"))
	if err != nil {
		return false
	}
	now, err := http.ParseTime(resp.HTTPResponse().Header.Get("Date"))
	return err == nil && now.Sub(signed).Abs() > clockTolerance
}

// credentialsError says that no credentials were found. Unlike the SDK's own errors, it does not look like a store
// that cannot be reached.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string {
	return fmt.Sprintf("%v: %s", ErrNoCredentials, foreign.Line(rootCause(e.err).Error(), maxMessageLength))
}

func (e *credentialsError) Unwrap() []error { return []error{ErrNoCredentials, e.err} }

// rootCause is the innermost error.
func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// namedCredentials turns the failures of a provider into credentialsErrors.
type namedCredentials struct{ aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (c namedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		return found, &credentialsError{err}
	}
	return found, err
}
