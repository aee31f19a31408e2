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
	// idle is how long the store may be silent.
	idle = time.Minute
	// storing is how long it may be silent when it has been sent something: stores that keep objects as files
	// put an object of many parts together then.
	storing = 5 * time.Minute
)

// limited bounds the silence of the store.
type limited struct {
	client  *http.Client
	reading httpclient.Limits
	writing httpclient.Limits
}

// Do implements aws.HTTPClient.
func (l *limited) Do(req *http.Request) (*http.Response, error) {
	limits := l.writing
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		limits = l.reading
	}
	return httpclient.Do(l.client, req, limits)
}

// newClient is the SDK's client, which trusts AWS_CA_BUNDLE, within limits. Its redirects are the SDK's, too, and not package
// redirect's: S3 sends requests for a new bucket to another host (307). A signature is valid for one host, and
// the session token does not go along to another.
func newClient(configured aws.HTTPClient) (*limited, error) {
	l := &limited{reading: httpclient.Limits{Idle: idle}, writing: httpclient.Limits{Idle: idle, Answer: storing}}
	if configured == nil { // the SDK leaves it to its clients
		configured = awshttp.NewBuildableClient()
	}
	if buildable, ok := configured.(*awshttp.BuildableClient); ok {
		configured = buildable.WithTransportOptions(func(t *http.Transport) {
			t.OnProxyConnectResponse = httpclient.RefusedByProxy
		}).Freeze()
	}
	client, ok := configured.(*http.Client)
	if !ok {
		return nil, fmt.Errorf("no time limits can be set for a %T", configured)
	}
	l.client = client
	return l, nil
}

// patient does not ask again before the time that the store has named: whoever called comes back then.
type patient struct{ aws.RetryerV2 }

// IsErrorRetryable implements aws.RetryerV2.
func (p patient) IsErrorRetryable(err error) bool {
	if answer, ok := answered(err); ok && answer.RetryAfter() > 0 {
		return false
	}
	return p.RetryerV2.IsErrorRetryable(err)
}

// credentialsError says that no credentials were found: unlike the SDK's own errors, it is not
// taken for a store that cannot be reached.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string {
	return fmt.Sprintf("%v: %s", ErrNoCredentials, foreign.Line(innermost(e.err).Error(), maxMessage))
}

func (e *credentialsError) Unwrap() []error { return []error{ErrNoCredentials, e.err} }

// innermost is the error without what was said around it.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// credentials names the failures of a provider.
type namedCredentials struct{ aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (c namedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		return found, &credentialsError{err}
	}
	return found, err
}
