package gitlabapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// Errors that a caller tells apart with errors.Is. Those of connections and silence are in package httpclient, those of
// redirects in package redirect.
var (
	// ErrRefused says that the API does not do what it is asked with this token.
	ErrRefused = errors.New("gitlab's api refuses it")
	// ErrNotGitLab says that something else answered.
	ErrNotGitLab = errors.New("answer is not from gitlab's api")
)

// StatusError is an answer other than 2xx. It wraps the kind of error that the status means.
type StatusError struct {
	Code       int
	Message    string        // the start of the answer, fit to be shown
	RequestID  string        // for searching the server's logs
	RetryDelay time.Duration // Retry-After; 0 if the server did not say
}

// statusError describes an answer other than 2xx. GitLab's own are JSON whatever they say.
func (c *Client) statusError(resp *http.Response, isJSON bool, text []byte) error {
	e := &StatusError{
		Code:       resp.StatusCode,
		RequestID:  c.mask.Line(resp.Header.Get(c.instance.RequestID()), 64),
		RetryDelay: httpclient.RetryAfter(resp.Header),
	}
	if isJSON {
		e.Message = c.mask.Line(string(text[:min(len(text), 4*maxExcerpt)]), maxExcerpt)
	}
	if e.Unwrap() == ErrRefused && !isJSON || e.Code == http.StatusNotFound && !namesWhatIsMissing(text) {
		return fmt.Errorf("%w: http status %d with %q", ErrNotGitLab, e.Code, cmp.Or(e.Message, c.mask.Line(resp.Header.Get("Content-Type"), 60)))
	}
	return e
}

// namesWhatIsMissing tells whether a 404 is about what was asked for: {"message":"404 Group Not Found"}. GitLab answers
// {"error":"404 Not Found"} to a path that is none of its API's, such as one in which a proxy has made "/" of "%2F", and
// nothing, as JSON, outside of its API. Neither means that a group does not exist.
func namesWhatIsMissing(text []byte) bool {
	var answer struct{ Message string }
	return json.Unmarshal(text, &answer) == nil && answer.Message != ""
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s (http status %d)", e.Unwrap(), e.Code)
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

func (e *StatusError) Unwrap() error {
	switch {
	case e.Code == http.StatusProxyAuthRequired:
		return httpclient.ErrProxyAuth
	case e.Code == http.StatusTooManyRequests:
		return httpclient.ErrRateLimited
	case e.Code == http.StatusRequestTimeout, e.Code/100 == 5:
		return httpclient.ErrUnavailable
	}
	return ErrRefused
}
