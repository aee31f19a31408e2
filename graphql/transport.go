package graphql

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/Khan/genqlient/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/redirect"
)

// An answer normally takes seconds. answerTimeout is the limit for the whole answer, silenceTimeout the limit for a
// time in which nothing arrives.
const (
	answerTimeout  = 2 * time.Minute
	silenceTimeout = 30 * time.Second
)

// transport is the graphql.Client that the generated code sends its operation to.
type transport struct {
	options Options
	mask    *foreign.Mask
}

func newTransport(opts Options) *transport {
	client := http.Client{}
	if opts.HTTP != nil {
		client = *opts.HTTP
	}
	mask := foreign.NewMask(opts.Password, opts.Username+":"+opts.Password)
	client.CheckRedirect = redirect.SameServerOnly(mask)
	opts.HTTP = &client
	return &transport{opts, mask}
}

// MakeRequest implements graphql.Client. It sends no operation name: the query has one operation only, and servers
// differ on what an empty name means.
func (t *transport) MakeRequest(ctx context.Context, req *graphql.Request, resp *graphql.Response) error {
	answer, err := t.post(ctx, cmp.Or(t.options.Query, req.Query))
	if err != nil {
		return err
	}
	if err := checkBounds(answer); err != nil {
		return err
	}
	if err := json.Unmarshal(answer, resp); err != nil {
		// The decoder's error quotes the answer as well.
		return fmt.Errorf("%w: %s: %q", ErrNotGraphQL, t.excerpt(err.Error()), t.excerpt(string(answer)))
	}
	return t.checkErrors(resp.Errors)
}

// post returns the body of a 2xx answer.
func (t *transport) post(ctx context.Context, query string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, fmt.Errorf("%w: no whole answer within %s", ErrSilent, answerTimeout))
	defer cancel()
	resp, err := t.send(ctx, query)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written

	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		// As much of the error page as can be read is enough.
		page, _ := io.ReadAll(io.LimitReader(resp.Body, maxScannedSize))
		return nil, &StatusError{Code: resp.StatusCode, Body: t.excerpt(string(page)), RetryDelay: httpclient.RetryAfter(resp.Header)}
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/html" || kind == "application/xhtml+xml" {
		page, _ := io.ReadAll(io.LimitReader(resp.Body, maxScannedSize))
		return nil, fmt.Errorf("%w but a web page: %q", ErrNotGraphQL, t.excerpt(string(page)))
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, resp.Body, maxAnswerSize))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, fmt.Errorf("%w: it exceeds %d bytes", ErrTooLarge, tooLarge.Limit)
	}
	if err != nil {
		return nil, fmt.Errorf("read graphql server's answer: %w", t.describeFailure(ctx, err))
	}
	return body, nil
}

func (t *transport) send(ctx context.Context, query string) (*http.Response, error) {
	body, err := json.Marshal(struct {
		Query string `json:"query"`
	}{query})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.options.URL.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if t.options.Username != "" || t.options.Password != "" {
		req.SetBasicAuth(t.options.Username, t.options.Password)
	}
	resp, err := httpclient.Do(t.options.HTTP, req, httpclient.Limits{Idle: silenceTimeout})
	if err != nil {
		return nil, fmt.Errorf("query graphql server %q: %w", req.URL.Host, t.describeFailure(ctx, err))
	}
	return resp, nil
}

// describeFailure says why there is no answer.
func (t *transport) describeFailure(ctx context.Context, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), ErrSilent):
		return context.Cause(ctx)
	case errors.Is(err, httpclient.ErrSilent):
		err = fmt.Errorf("%w: %w", ErrSilent, err)
	case errors.Is(err, redirect.ErrRefused):
		return fmt.Errorf("%w: %s", ErrRedirected, t.mask.Line(err.Error(), maxExcerptLength)) // not the Git server's kind
	}
	return t.mask.Error(err, maxExcerptLength)
}

// checkErrors fails when an answer lists errors, even if it has data. Where something failed, the data is null
// (GraphQL, section 6.4.4), which looks like a sync that was removed.
func (t *transport) checkErrors(list gqlerror.List) error {
	if len(list) == 0 {
		return nil
	}
	first := list[0]
	if first == nil {
		first = &gqlerror.Error{}
	}
	message := first.Message
	if len(first.Path) > 0 {
		message = first.Path.String() + ": " + message
	}
	return fmt.Errorf("%w: %d, the first: %q", ErrReported, len(list), t.excerpt(message))
}

func (t *transport) excerpt(text string) string {
	return t.mask.Line(foreign.Cut(text, maxScannedSize), maxExcerptLength)
}
