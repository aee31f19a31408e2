package gitlabapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

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

// StatusError is an answer other than 2xx. It wraps the kind of error that the status means. The message is the start
// of an answer in JSON, which GitLab's own are whatever they say.
type StatusError struct{ httpclient.Status }

func (c *Client) statusError(resp *http.Response, isJSON bool, text []byte) error {
	e := &StatusError{httpclient.NewStatus(resp, c.mask, c.instance.RequestID())}
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

func (e *StatusError) Error() string { return e.Describe(e.Unwrap()) }

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
