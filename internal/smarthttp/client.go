// Package smarthttp speaks the client side of Git's smart HTTP protocol (gitprotocol-http(5), gitprotocol-v2(5),
// gitprotocol-pack(5)) to relay packs. A fetched pack is handed on byte by byte, and a pushed one is read from a
// stream. Nothing is indexed or unpacked, so memory stays flat whatever the repository's size.
//
// A server's answer is treated as hostile. Every list, line and message has a limit, and the server's words pass
// package foreign before they reach an error.
package smarthttp

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/redirect"
)

// Forge is what a client has to know of a server besides Git's protocol.
type Forge interface {
	// Repository returns the URL of a project's repository.
	Repository(project string) (*url.URL, error)
	// Project returns the project that a repository's URL belongs to. It is false for a URL that is not below the
	// server's address.
	Project(repository *url.URL) (project string, below bool)
	// RequestID is the name of the header with the ID by which the server's logs can be searched.
	RequestID() string
	// NotFound tells whether the server's words mean that there is no such project, or none that the credentials may
	// read.
	NotFound(words string) bool
}

// Options say which server to talk to, and how.
type Options struct {
	// Forge is the server, and its rules.
	Forge Forge

	// Username and Password are sent with each request (RFC 7617). Both empty
	// means anonymous.
	Username, Password string

	// HTTP is copied, and its redirect policy replaced. Nil means httpclient.New's.
	HTTP *http.Client

	// Limits are how long to wait for the server. Zero limits have defaults.
	Limits Limits

	// AllowRedirectTo tells whether a repository ("group/name") may be used if the server redirects to it. Nil allows
	// none.
	AllowRedirectTo func(repo string) bool

	// Agent is this program's name for the server, without spaces.
	Agent string
}

// Client talks to one Git server. It may be used concurrently.
type Client struct {
	options Options // with defaults
	mask    *foreign.Mask
	known   knownV2
}

// New returns a client for the server that opts names.
func New(opts Options) *Client {
	client := httpclient.New(nil)
	if opts.HTTP != nil {
		*client = *opts.HTTP
	}
	mask := foreign.NewMask(opts.Password, opts.Username+":"+opts.Password)
	client.CheckRedirect = checkRedirect(mask)
	opts.HTTP, opts.Limits, opts.Agent = client, opts.Limits.orDefaults(), cmp.Or(opts.Agent, "git-partition-sync")
	return &Client{options: opts, mask: mask}
}

func (c *Client) get(ctx context.Context, u *url.URL, contentType string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header = header
	return c.do(req, contentType, httpclient.Limits{Idle: c.options.Limits.Idle})
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
	limits := httpclient.Limits{Idle: c.options.Limits.Idle}
	if service == receivePack {
		limits.Answer = c.options.Limits.Answer
	}
	return c.do(req, "application/x-"+service+"-result", limits)
}

func (c *Client) do(req *http.Request, contentType string, limits httpclient.Limits) (*http.Response, error) {
	req.Header.Set("Accept", contentType)
	req.Header.Set("Accept-Encoding", "identity") // packs are compressed already
	req.Header.Set("User-Agent", c.options.Agent)
	if c.options.Username != "" || c.options.Password != "" {
		req.SetBasicAuth(c.options.Username, c.options.Password)
	}
	resp, err := httpclient.Do(c.options.HTTP, req, limits)
	if err != nil {
		return nil, c.mask.Error(err, maxLineLength) // it may quote an answer that is not HTTP, or a certificate
	}
	err = c.checkResponse(resp, contentType)
	if err == nil {
		err = c.decompress(resp)
	}
	if err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// checkRedirect follows the redirects of GitLab for a project that was renamed, and none that would take the
// credentials elsewhere.
func checkRedirect(mask *foreign.Mask) func(*http.Request, []*http.Request) error {
	within := redirect.SameServerOnly(mask)
	return func(req *http.Request, via []*http.Request) error {
		if via[0].Method != http.MethodGet {
			return http.ErrUseLastResponse
		}
		return within(req, via)
	}
}
