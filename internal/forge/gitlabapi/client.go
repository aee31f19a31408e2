// Package gitlabapi asks GitLab's REST API (docs.gitlab.com/api/groups) for groups, and creates those that are missing.
//
// For three requests, the library gitlab.com/gitlab-org/api/client-go would bring five more modules, retries of its
// own, and answers of any size.
package gitlabapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/redirect"
)

// An answer normally takes a second. answerTimeout is the limit for the whole answer, silenceTimeout the limit for a time
// in which nothing arrives.
const (
	answerTimeout  = time.Minute
	silenceTimeout = 30 * time.Second
	maxAnswerSize  = 1 << 20 // bytes; a group takes 3,000
	maxExcerpt     = 300     // characters of an answer in an error
)

// Options say which server to talk to, and how.
type Options struct {
	Instance gitlab.Instance
	// Token is sent to this server only, in a header.
	Token string
	// HTTP is copied, and its redirect policy replaced. Nil means httpclient.New's.
	HTTP *http.Client
	// Agent is this program's name for the server.
	Agent string
}

// Client talks to the API of one instance. It may be used concurrently.
type Client struct {
	instance     gitlab.Instance
	token, agent string
	http         *http.Client
	mask         *foreign.Mask
}

// New returns a client. It does not connect.
func New(opts Options) *Client {
	client := httpclient.New(nil)
	if opts.HTTP != nil {
		*client = *opts.HTTP
	}
	mask := foreign.NewMask(opts.Token)
	client.CheckRedirect = redirect.SameServerOnly(mask)
	return &Client{instance: opts.Instance, token: opts.Token, agent: opts.Agent, http: client, mask: mask}
}

// call sends a request, and decodes the answer of a success. Its errors are *StatusError for any other status.
func (c *Client) call(ctx context.Context, method string, u *url.URL, body, answer any) error {
	ctx, cancel := httpclient.WithLimit(ctx, answerTimeout)
	defer cancel()
	resp, err := c.send(ctx, method, u, body)
	if err != nil {
		return c.mask.Error(err, maxExcerpt)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerSize+1))
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	isJSON := kind == "application/json"
	switch {
	case err != nil:
		return c.mask.Error(fmt.Errorf("read the answer: %w", err), maxExcerpt)
	case resp.StatusCode/100 != 2:
		return c.statusError(resp, isJSON, text)
	case !isJSON:
		return fmt.Errorf("%w: http status %d with %q", ErrNotGitLab, resp.StatusCode, c.mask.Line(kind, 60))
	case len(text) > maxAnswerSize:
		return fmt.Errorf("%w: it exceeds %d bytes", ErrNotGitLab, maxAnswerSize)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%w: %s", ErrNotGitLab, c.mask.Line(err.Error(), maxExcerpt))
	}
	return nil
}

func (c *Client) send(ctx context.Context, method string, u *url.URL, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.agent)
	// Not PRIVATE-TOKEN, which net/http would also send where a redirect points.
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return httpclient.Do(c.http, req, httpclient.Limits{Idle: silenceTimeout})
}
