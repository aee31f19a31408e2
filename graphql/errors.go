package graphql

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// Errors that a caller tells apart with errors.Is.
var (
	// ErrUnauthorized says that the server refused the credentials, ErrForbidden that it refused their owner.
	ErrUnauthorized = errors.New("graphql server refused the credentials")
	ErrForbidden    = errors.New("graphql server does not let the user in")
	// ErrNotFound says that there is nothing at the URL.
	ErrNotFound = errors.New("graphql server has nothing at the url")
	// ErrBusy says that the server wants to be asked later.
	ErrBusy = errors.New("graphql server is busy")
	// ErrNotGraphQL says that something else answered, such as a sign-in page.
	ErrNotGraphQL = errors.New("answer is not from a graphql server")
	// ErrTooLarge says that the answer has more in it than one producer handles.
	ErrTooLarge = errors.New("graphql server's answer is too large")
	// ErrReported says that the answer lists errors.
	ErrReported = errors.New("graphql server reported errors")
	// ErrRedirected says that a redirect was not followed.
	ErrRedirected = errors.New("redirect is not followed")
	// ErrSilent says that the server did not answer, or did not finish its answer.
	ErrSilent = errors.New("graphql server is silent")
)

const (
	maxExcerptLength = 200      // characters of foreign text in an error
	maxScannedSize   = 64 << 10 // bytes of foreign text that are looked at for it
)

// StatusError is an answer other than 2xx.
type StatusError struct {
	Code int    // HTTP status
	Body string // the beginning of the body, fit to be shown
	// RetryDelay is how long the server wants not to be asked; zero if it does not say.
	RetryDelay time.Duration
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("graphql server answered %d %s: %q", e.Code, http.StatusText(e.Code), e.Body)
}

// Unwrap returns what the status means, or nil.
func (e *StatusError) Unwrap() error { return kindByStatus[e.Code] }

var kindByStatus = map[int]error{
	http.StatusUnauthorized:       ErrUnauthorized,
	http.StatusForbidden:          ErrForbidden,
	http.StatusProxyAuthRequired:  httpclient.ErrProxyAuth,
	http.StatusNotFound:           ErrNotFound,
	http.StatusGone:               ErrNotFound,
	http.StatusTooManyRequests:    ErrBusy,
	http.StatusServiceUnavailable: ErrBusy,
	http.StatusBadGateway:         httpclient.ErrUnavailable, // a proxy's answer
	http.StatusGatewayTimeout:     httpclient.ErrUnavailable,
}

// RetryAfter is how long to wait before the next try; zero leaves it to the caller.
func (e *StatusError) RetryAfter() time.Duration { return e.RetryDelay }
