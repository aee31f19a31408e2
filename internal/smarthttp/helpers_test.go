package smarthttp_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

const (
	repo    = "group/sub/näme"
	absent  = "0123456789012345678901234567890123456789"
	payload = "a line of text\n"
)

var login = gitserver.Credentials{User: "bot", Password: "s3cret"}

func newClient(t *testing.T, base string) *smarthttp.Client {
	t.Helper()
	return newClientWith(t, base, smarthttp.Options{AllowRedirectTo: project.AllowAll().AllowsPath})
}

func newClientWith(t *testing.T, base string, opts smarthttp.Options) *smarthttp.Client {
	t.Helper()
	u, err := url.Parse(base)
	require.NoError(t, err)
	opts.Forge, opts.Username, opts.Password = gitlab.At(u), login.User, login.Password
	return smarthttp.New(opts)
}

// dialing is a client that trusts the server's certificate, and finds hosts where addresses say.
func dialing(secure *httptest.Server, addresses map[string]string) *http.Client {
	client := secure.Client()
	transport := client.Transport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addresses[address])
	}
	transport.TLSClientConfig.ServerName = "example.com" // as its certificate says
	return client
}

// pkt is one packet of the pkt-line format.
func pkt(payload string) string { return fmt.Sprintf("%04x%s", 4+len(payload), payload) }

// newServer starts a Git server with one empty repository, and a client of it.
func newServer(t *testing.T, opts ...gitserver.Option) (*gitserver.Server, *smarthttp.Client) {
	t.Helper()
	server, err := gitserver.Start(t.TempDir(), login, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	require.NoError(t, server.Create(t.Context(), repo))
	return server, newClient(t, server.URL())
}

func commit(t *testing.T, server *gitserver.Server, branch, content string) string {
	t.Helper()
	sha, err := server.Commit(t.Context(), repo, branch, map[string]string{"file": content}, "change")
	require.NoError(t, err)
	return sha
}

func git(t *testing.T, server *gitserver.Server, args ...string) string {
	t.Helper()
	out, err := server.Git(t.Context(), repo, args...)
	require.NoError(t, err)
	return out
}

// newFake starts a server that answers whatever handler says.
func newFake(t *testing.T, handler http.HandlerFunc) *smarthttp.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newClient(t, server.URL)
}

// protocols runs a test against a server of either protocol version.
func protocols(t *testing.T, test func(t *testing.T, opts ...gitserver.Option)) {
	t.Run("v2", func(t *testing.T) { test(t) })
	t.Run("v0", func(t *testing.T) { test(t, gitserver.WithoutProtocolV2()) })
}

// headsOf returns the commits of a repository's branches by their names.
func headsOf(ctx context.Context, client *smarthttp.Client, repo string, branches ...string) (map[string]string, error) {
	names := make([]string, len(branches))
	for i, branch := range branches {
		names[i] = "refs/heads/" + branch
	}
	refs, err := client.Refs(ctx, repo, names...)
	heads := make(map[string]string, len(refs))
	for ref, commit := range refs {
		heads[strings.TrimPrefix(ref, "refs/heads/")] = commit
	}
	return heads, err
}

func mustParse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u
}
