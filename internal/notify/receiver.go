package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// Errors that a caller tells apart with errors.Is.
var (
	// ErrRefused is an answer that will be the same the next time.
	ErrRefused = errors.New("notification refused")
	// ErrFailed may pass by itself.
	ErrFailed = errors.New("notification not delivered")
)

const (
	// timeout is for a whole request, silence for a part of it in which nothing moves.
	timeout = 10 * time.Second
	silence = 5 * time.Second
	// maxSaid is how many characters of what others have said are shown.
	maxSaid = 200
)

// Receiver is where messages go.
type Receiver struct {
	// URL may have credentials, and a path and query that are as good as some. No error has more of it than the host.
	URL    url.URL
	Format Format
	HTTP   *http.Client
	Agent  string // the user agent
}

// minSecretSegment is how many bytes a segment of a path has at least that is taken for a secret by itself.
const minSecretSegment = 12

// Secrets are those parts of an address that must not be shown to anybody: the long segments of its path, or all of that if there
// are none, the values of its query, and its credentials. Words such as "services" are in many texts that are no secret.
func Secrets(u url.URL) (secrets []string) {
	for segment := range strings.SplitSeq(u.Path, "/") {
		if len(segment) >= minSecretSegment {
			secrets = append(secrets, segment)
		}
	}
	if len(secrets) == 0 && len(u.Path) > 1 {
		secrets = append(secrets, u.Path)
	}
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	if password, set := u.User.Password(); set {
		secrets = append(secrets, password, u.User.Username()+":"+password)
	} else if u.User.Username() != "" {
		secrets = append(secrets, u.User.Username())
	}
	return secrets
}

// Send delivers a message, once. Redirects are not followed: they would lead away from who was meant.
func (r Receiver) Send(ctx context.Context, m Message) error {
	body, err := r.Format.Body(m)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	ctx, cancel := httpclient.WithLimit(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.Format.endpoint(r.URL).String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: NOTIFY_URL is not a URL to send something to", ErrRefused) // what Go says quotes it
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", r.Agent)
	own := *r.HTTP
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	mask := foreign.NewMask(Secrets(r.URL)...)
	answer, err := httpclient.Do(&own, req, httpclient.Limits{Idle: silence})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("%w to %s: %w", ErrFailed, r.host(), mask.Error(err, maxSaid))
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode/100 == 2 {
		return nil
	}
	return fmt.Errorf("%s: %w", r.host(), newStatusError(answer, mask))
}

func (r Receiver) host() string { return foreign.Quote(r.URL.Host, maxSaid) }

// StatusError is an answer that is no success. It wraps ErrFailed or ErrRefused.
type StatusError struct{ httpclient.Status }

func newStatusError(answer *http.Response, mask *foreign.Mask) *StatusError {
	e := &StatusError{httpclient.NewStatus(answer, mask, "X-Request-Id")}
	switch kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); kind {
	case "text/plain", "application/json": // else it is a page
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 4*maxSaid)) // what came before an error is of use
		e.Message = mask.Line(string(text), maxSaid)
	}
	if to, err := answer.Location(); e.Code/100 == 3 && err == nil {
		e.Message = strings.TrimSpace("it redirects to " + mask.Line(to.Scheme+"://"+to.Host, maxSaid))
	}
	return e
}

func (e *StatusError) Error() string { return e.Describe(e.Unwrap()) }

// Unwrap returns what the status means.
func (e *StatusError) Unwrap() error {
	if e.Code >= 500 || e.Code == http.StatusRequestTimeout || e.Code == http.StatusTooManyRequests {
		return ErrFailed
	}
	return ErrRefused
}
