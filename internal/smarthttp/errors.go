package smarthttp

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/redirect"
)

// Errors that a caller tells apart with errors.Is.
var (
	ErrUnauthorized = errors.New("credentials refused")
	ErrNotFound     = errors.New("repository not found, or the credentials may not read it")
	ErrNotGit       = errors.New("answer is not from a git server")
	ErrRedirected   = redirect.ErrRefused
	ErrObjectFormat = errors.New("repository does not use SHA-1")
	ErrNotOurRef    = errors.New("commit is no longer on any branch of the repository")
	ErrCorruptPack  = errors.New("corrupt pack")
	ErrNoThin       = errors.New("server does not accept thin packs")
	ErrNoAtomic     = errors.New("server does not move several refs in one transaction (atomic)")
)

const maxBodyText = 200

// StatusError is an HTTP answer other than 200. It is ErrUnauthorized for 401
// and 403, and ErrNotFound for 404; any other may pass by itself.
type StatusError struct {
	Code      int
	Message   string // the start of a text/plain body, fit to be shown
	RequestID string // X-Request-Id, by which GitLab's logs are searched
}

func newStatusError(resp *http.Response, mask *foreign.Mask) *StatusError {
	e := &StatusError{Code: resp.StatusCode, RequestID: mask.Line(resp.Header.Get("X-Request-Id"), 64)}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/plain" {
		// More than is kept, as it gets shorter. What came before a read error is still of use.
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
	if e.RequestID != "" {
		text += fmt.Sprintf(" (request id %s)", e.RequestID)
	}
	return text
}

func (e *StatusError) Unwrap() error {
	switch e.Code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrUnauthorized
	case http.StatusNotFound:
		return ErrNotFound
	}
	return nil
}

// MovedError says that the ref to push is not where the caller expected
// it. An empty commit means that it does not exist.
type MovedError struct {
	Ref      string
	Expected string
	Tip      string
}

func (e *MovedError) Error() string {
	return fmt.Sprintf("%q moved: expected %s, found %s", e.Ref, orAbsent(e.Expected), orAbsent(e.Tip))
}

func orAbsent(commit string) string {
	if commit == "" {
		return "nothing"
	}
	return commit
}

// remoteError is the text of an ERR packet or of the side-band's error channel.
func remoteError(text string, mask *foreign.Mask) error {
	text = mask.Line(text, maxLine)
	if strings.Contains(text, "not our ref") {
		return fmt.Errorf("%w (%s)", ErrNotOurRef, text)
	}
	return fmt.Errorf("server failed: %s", text)
}
