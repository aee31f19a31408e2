package httpclient

import (
	"fmt"
	"net/http"
	"time"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

const maxRequestIDLength = 64

// Status is what an answer that is no success says. Errors embed it, and add what the status means to their server.
type Status struct {
	Code       int
	Message    string        // the start of the answer, fit to be shown; empty if it has none for people
	RequestID  string        // for searching the server's logs
	RetryDelay time.Duration // Retry-After; 0 if the server did not say
}

// NewStatus reads the headers of an answer. The request's ID is in the one with that name.
func NewStatus(resp *http.Response, mask *foreign.Mask, requestID string) Status {
	return Status{
		Code:       resp.StatusCode,
		RequestID:  mask.Line(resp.Header.Get(requestID), maxRequestIDLength),
		RetryDelay: RetryAfter(resp.Header),
	}
}

// Describe is the text of an error whose status has a meaning, or none that is known (nil).
func (s Status) Describe(meaning error) string {
	text := fmt.Sprintf("http status %d", s.Code)
	if meaning != nil {
		text = fmt.Sprintf("%s (%s)", meaning, text)
	}
	if s.Message != "" {
		text += ": " + s.Message
	}
	if s.RetryDelay > 0 {
		text += fmt.Sprintf(" (retry after %s)", s.RetryDelay)
	}
	if s.RequestID != "" {
		text += fmt.Sprintf(" (request id %s)", s.RequestID)
	}
	return text
}

// RetryAfter is how long the server wants not to be asked; 0 if it did not say.
func (s Status) RetryAfter() time.Duration { return s.RetryDelay }
