package smarthttp

import (
	"cmp"
	"io"
	"mime"
	"net/http"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

const maxBodyText = 200

// StatusError is an HTTP answer other than 200. It wraps the kind of error that the status means. The message is the
// start of a text/plain body.
type StatusError struct{ httpclient.Status }

func newStatusError(resp *http.Response, mask *foreign.Mask, requestID string) *StatusError {
	e := &StatusError{httpclient.NewStatus(resp, mask, requestID)}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/plain" {
		// Cleaning shortens the text, so more is read than is kept. After a read error, what came before is still of use.
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4*maxBodyText))
		e.Message = mask.Line(string(body), maxBodyText)
	}
	return e
}

func (e *StatusError) Error() string { return e.Describe(e.Unwrap()) }

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
