// Package smarthttp speaks the client side of Git's smart HTTP protocol
// (gitprotocol-http(5), gitprotocol-v2(5), gitprotocol-pack(5)) to relay packs:
// a fetched pack is handed on byte by byte, and a pushed one is read from a
// stream. Nothing is indexed or unpacked, so memory stays flat whatever the
// repository's size.
//
// What a server answers is hostile until checked: each list, line and message
// has a limit, and its words pass package foreign before they reach an error.
package smarthttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/redirect"
)

// Options says which server to talk to, and how.
type Options struct {
	// BaseURL is the server's address, "https://gitlab.example.com", with a path
	// when it is installed below one. User info in it is ignored.
	BaseURL *url.URL

	// Username and Password are sent with each request (RFC 7617). Both empty
	// means anonymous.
	Username, Password string

	// HTTP is copied, and its redirect policy replaced. Nil means Go's default
	// client, which waits for as long as the context allows: a server may index a
	// pack for minutes before it answers.
	HTTP *http.Client

	// Agent names this program to the server. It has no spaces.
	Agent string
}

// Client talks to one Git server. It may be used concurrently.
type Client struct {
	base               *url.URL
	username, password string
	http               *http.Client
	agent              string
	mask               *foreign.Mask
}

// New returns a client for the server that opts names.
func New(opts Options) *Client {
	base := *opts.BaseURL
	base.User, base.RawQuery, base.Fragment = nil, "", ""
	client := &http.Client{}
	if opts.HTTP != nil {
		*client = *opts.HTTP
	}
	mask := foreign.NewMask(opts.Password, opts.Username+":"+opts.Password)
	client.CheckRedirect = checkRedirect(mask)
	agent := opts.Agent
	if agent == "" {
		agent = "git-partition-sync"
	}
	return &Client{base: &base, username: opts.Username, password: opts.Password, http: client, agent: agent, mask: mask}
}

// repository returns the URL of "group/name": BaseURL/group/name.git.
func (c *Client) repository(repo string) (*url.URL, error) {
	segments := strings.Split(repo+".git", "/")
	for i, segment := range segments {
		if segment == "" || segment == "." || segment == ".." {
			return nil, fmt.Errorf("invalid repository path %q", repo)
		}
		segments[i] = url.PathEscape(segment)
	}
	return c.base.JoinPath(segments...), nil
}

func (c *Client) get(ctx context.Context, u *url.URL, contentType string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header = header
	return c.do(req, contentType)
}

// post calls a service ("git-upload-pack") of the repository at u with a body of
// exactly size bytes.
func (c *Client) post(ctx context.Context, u *url.URL, service string, body io.Reader, size int64, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath(service).String(), body)
	if err != nil {
		return nil, err
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/x-"+service+"-request")
	req.ContentLength = size
	return c.do(req, "application/x-"+service+"-result")
}

func (c *Client) do(req *http.Request, contentType string) (*http.Response, error) {
	req.Header.Set("Accept", contentType)
	req.Header.Set("Accept-Encoding", "identity") // packs are compressed already
	req.Header.Set("User-Agent", c.agent)
	if c.username != "" || c.password != "" {
		req.SetBasicAuth(c.username, c.password)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var wrapper *url.Error // names a URL, as our caller does
		if errors.As(err, &wrapper) {
			err = wrapper.Err
		}
		return nil, c.mask.Error(err, maxLine) // may quote what is not HTTP, or a certificate
	}
	if err := c.checkResponse(resp, contentType); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

func (c *Client) checkResponse(resp *http.Response, contentType string) error {
	switch got := resp.Header.Get("Content-Type"); {
	case resp.StatusCode/100 == 3:
		return fmt.Errorf("%w: a POST is not sent anywhere else", ErrRedirected)
	case resp.StatusCode != http.StatusOK:
		return newStatusError(resp, c.mask)
	case got != contentType:
		return fmt.Errorf("%w: its content type is %q", ErrNotGit, c.mask.Line(got, 100))
	}
	return nil
}

// checkRedirect follows what a GitLab instance answers for a project that was
// renamed, and nothing that would take the credentials elsewhere.
func checkRedirect(mask *foreign.Mask) func(*http.Request, []*http.Request) error {
	within := redirect.Within(mask)
	return func(req *http.Request, via []*http.Request) error {
		if via[0].Method != http.MethodGet {
			return http.ErrUseLastResponse
		}
		return within(req, via)
	}
}
