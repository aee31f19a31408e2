package smarthttp

import (
	"cmp"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

const maxBodyText = 200

// StatusError is an HTTP answer other than 200. It wraps the kind of error that the status means.
type StatusError struct {
	Code       int
	Message    string        // the start of a text/plain body, fit to be shown
	RequestID  string        // for searching the server's logs
	RetryDelay time.Duration // Retry-After; 0 if the server did not say
}

func newStatusError(resp *http.Response, mask *foreign.Mask, requestID string) *StatusError {
	e := &StatusError{
		Code:       resp.StatusCode,
		RequestID:  mask.Line(resp.Header.Get(requestID), 64),
		RetryDelay: httpclient.RetryAfter(resp.Header),
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/plain" {
		// Cleaning shortens the text, so more is read than is kept. After a read error, what came before is still of use.
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4*maxBodyText))
		e.Message = mask.Line(string(body), maxBodyText)
	}
	return e
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("http status %d", e.Code)
	if kind := e.Unwrap(); kind != nil {
		text = fmt.Sprintf("%s (%s)", kind, text)
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.RetryDelay > 0 {
		text += fmt.Sprintf(" (retry after %s)", e.RetryDelay)
	}
	if e.RequestID != "" {
		text += fmt.Sprintf(" (request id %s)", e.RequestID)
	}
	return text
}

// RetryAfter is how long the server wants not to be asked; 0 if it did not say.
func (e *StatusError) RetryAfter() time.Duration { return e.RetryDelay }

// Unwrap returns what the status means, or nil.
func (e *StatusError) Unwrap() error { return cmp.Or(kindByStatus[e.Code], kindByClass[e.Code/100]) }

var kindByStatus = map[int]error{
	http.StatusUnauthorized:          ErrUnauthorized,
	http.StatusForbidden:             ErrForbidden,
	http.StatusNotFound:              ErrNotFound,
	http.StatusGone:                  ErrNotFound,
	http.StatusProxyAuthRequired:     httpclient.ErrProxyAuth,
	http.StatusRequestTimeout:        ErrUnavailable,
	http.StatusRequestEntityTooLarge: ErrTooLarge,
	http.StatusTooManyRequests:       ErrRateLimited,
	http.StatusBadGateway:            ErrUnavailable,
	http.StatusServiceUnavailable:    ErrUnavailable,
	http.StatusGatewayTimeout:        ErrUnavailable,
}

// kindByClass is for statuses that kindByStatus does not have.
var kindByClass = map[int]error{4: ErrRejected, 5: ErrServerFailed}
