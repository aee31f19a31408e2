package lfsapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/redirect"
)

// withLink calls use with a transfer whose link has not expired. If the server refuses the link, it is asked for another,
// once. A link that leads to nothing is asked for anew, too, before an object is taken for missing.
func (c *Client) withLink(ctx context.Context, t Transfer, use func(Transfer) error) error {
	renewed := false
	renew := func() (err error) {
		renewed = true
		t, err = c.renew(ctx, t)
		return err
	}
	if t.link != nil && t.link.expired() {
		if err := renew(); err != nil {
			return err
		}
	}
	err := use(t)
	if renewed || !errors.Is(err, ErrLinkRefused) && !errors.Is(err, ErrMissing) {
		return err
	}
	if err := renew(); err != nil {
		return err
	}
	return use(t)
}

// renew asks about the object again.
func (c *Client) renew(ctx context.Context, t Transfer) (Transfer, error) {
	again, err := c.Batch(ctx, t.project, t.op, []lfs.Object{t.Object})
	if err != nil {
		return Transfer{}, err
	}
	return again[0], again[0].Err()
}

// request makes a request to a link, with its headers.
func (c *Client) request(ctx context.Context, l *link, method string, header http.Header) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, l.url.String(), nil)
	if err != nil { // it quotes the link
		return nil, fmt.Errorf("%w: it is no URL", ErrUnsafeLink)
	}
	req.Header = header
	for name, values := range l.header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", c.options.Agent)
	if l.login {
		c.authenticate(req)
	}
	return req, nil
}

// send sends a request to a link or to where one redirects. Errors begin with the server's name.
func (c *Client) send(req *http.Request, limits httpclient.Limits) (*http.Response, error) {
	resp, err := httpclient.Do(c.options.HTTP, req, limits)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.nameOf(req.URL), c.maskOf(req).Error(err, maxExcerpt))
	}
	return resp, nil
}

// maskOf knows the secrets of a request to a link, besides the client's own.
func (c *Client) maskOf(req *http.Request) *foreign.Mask {
	own := []string{c.options.Password, c.options.Username + ":" + c.options.Password}
	return foreign.NewMask(append(own, secretsOf(req.URL, req.Header)...)...)
}

// refusal reads an answer of a link that is no success.
func (c *Client) refusal(resp *http.Response, where place, op Operation) error {
	if isRedirect(resp.StatusCode) {
		return fmt.Errorf("%s: %w: the server redirects what is sent to it", c.nameOf(resp.Request.URL), ErrUnsafeLink)
	}
	requestID := c.options.Forge.RequestID()
	if resp.Header.Get(requestID) == "" {
		requestID = "X-Amz-Request-Id" // of object stores
	}
	return fmt.Errorf("%s: %w", c.nameOf(resp.Request.URL), newStatusError(resp, where, op, c.maskOf(resp.Request), requestID))
}

// get asks a link for an object, and follows redirects. What was to be sent to one server stays behind when another one is
// next, and is not taken out again.
func (c *Client) get(ctx context.Context, l *link, byteRange string) (*http.Response, error) {
	req, err := c.request(ctx, l, http.MethodGet, http.Header{})
	for hops := 0; err == nil; hops++ {
		req.Header.Set("Accept-Encoding", "identity") // so that sizes and ranges are the object's
		if byteRange != "" {
			req.Header.Set("Range", byteRange)
		}
		resp, sendErr := c.send(req, httpclient.Limits{Idle: c.options.Limits.Idle})
		if sendErr != nil || !isRedirect(resp.StatusCode) {
			return resp, sendErr
		}
		var next *url.URL
		next, err = location(resp)
		drain(resp.Body)
		_ = resp.Body.Close()
		if err == nil && hops >= redirect.MaxRedirects {
			err = fmt.Errorf("%w: redirected more than %d times", ErrUnsafeLink, redirect.MaxRedirects)
		}
		if err == nil {
			req, err = c.nextRequest(req, l, next)
		}
	}
	return nil, err
}

// nextRequest follows one redirect.
func (c *Client) nextRequest(last *http.Request, l *link, to *url.URL) (*http.Request, error) {
	if err := c.checkTarget(l.git, to); err != nil {
		return nil, err
	}
	next := last.Clone(last.Context())
	next.URL, next.Host = to, ""
	if !redirect.Stays(last.URL, to) {
		next.Header = http.Header{"User-Agent": {c.options.Agent}}
	}
	return next, nil
}
