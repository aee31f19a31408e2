// Package lfsapi is a client of the Git LFS batch API
// (https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md) with its basic transfers
// (https://github.com/git-lfs/git-lfs/blob/main/docs/api/basic-transfers.md): one GET or PUT for each object.
//
// The packages of git-lfs itself (lfs, tq, lfsapi) are made for its command: they bring fifty more, among them Kerberos and
// credential helpers, take their settings from Git's configuration and from the environment, and start Git. Gitea's
// package belongs to its application, and go-git has none.
//
// A server says to which address an object goes, with which headers. docs/lfs.md has the rules by which such a link is
// followed. An answer is treated as hostile: every list and text has a limit, every silence too, and the server's words
// pass package foreign before they reach an error. Links and their headers are secrets, of which errors name no more than
// scheme and host.
package lfsapi

import (
	"cmp"
	"net/http"
	"time"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// Options say which server to talk to, and how. They are those of smarthttp.Options for the same server.
type Options struct {
	// Forge is the server, and its rules.
	Forge smarthttp.Forge
	// Username and Password are for this server only (RFC 7617). Both empty means anonymous.
	Username, Password string
	// HTTP is copied, and its redirect policy replaced. Nil means httpclient.New's.
	HTTP *http.Client
	// Limits are how long to wait. Zero limits have defaults.
	Limits Limits
	// AllowRedirectTo tells whether a project ("group/name") may be used if the server redirects to it. Nil allows none.
	AllowRedirectTo func(project string) bool
	// Agent is this program's name for the server, without spaces.
	Agent string
}

// Limits are how long to wait for a server. A transfer that moves, however slowly, is not ended.
type Limits struct {
	// Batch is for one request about objects, up to the end of its answer. It is for a verification, too.
	Batch time.Duration
	// Idle is for a transfer in which no byte moves.
	Idle time.Duration
	// Answer is for the time between the end of an upload and its answer. Meanwhile the server puts the object away.
	Answer time.Duration
	// Pause is the longest that a server's wish not to be asked (Retry-After) is waited for. After a longer one, it is for
	// the caller to come back.
	Pause time.Duration
}

func (l Limits) orDefaults() Limits {
	return Limits{
		Batch:  cmp.Or(l.Batch, 3*time.Minute),
		Idle:   cmp.Or(l.Idle, 5*time.Minute),
		Answer: cmp.Or(l.Answer, 30*time.Minute),
		Pause:  cmp.Or(l.Pause, 30*time.Second),
	}
}

// Client talks to the LFS server of one Git server. It may be used concurrently.
type Client struct {
	options Options // with defaults
	mask    *foreign.Mask
	enabled projectsWithLFS
}

// New returns a client. It does not connect.
func New(opts Options) *Client {
	client := httpclient.New(nil)
	if opts.HTTP != nil {
		*client = *opts.HTTP
	}
	// Go would send headers where a redirect points, and the link itself as the referrer.
	client.Transport = redirectsUnread{cmp.Or(client.Transport, http.DefaultTransport)}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	opts.HTTP, opts.Limits, opts.Agent = client, opts.Limits.orDefaults(), cmp.Or(opts.Agent, "git-partition-sync")
	return &Client{options: opts, mask: foreign.NewMask(opts.Password, opts.Username+":"+opts.Password)}
}

// authenticate adds the client's own credentials to a request to the Git server.
func (c *Client) authenticate(req *http.Request) {
	if c.options.Username != "" || c.options.Password != "" {
		req.SetBasicAuth(c.options.Username, c.options.Password)
	}
}
