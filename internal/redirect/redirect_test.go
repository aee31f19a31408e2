package redirect_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/redirect"
)

func TestSameServer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"https://git.example/a", "https://git.example/b", true},
		{"https://git.example", "https://git.example:443/", true},
		{"http://git.example:80", "http://GIT.example", true},
		{"https://[::1]:443", "https://[::1]", true},
		{"https://git.example", "http://git.example", false},
		{"http://git.example", "https://git.example", false},
		{"http://git.example:443", "https://git.example", false},
		{"https://git.example", "https://git.example:80", false},
		{"https://git.example", "https://git.example:8443", false},
		{"https://git.example", "https://sub.git.example", false},
		{"https://git.example", "https://git.example.", false},
		{"https://git.example", "https://git.example@evil.example", false},
	} {
		require.Equal(t, test.same, redirect.SameServer(parse(t, test.a), parse(t, test.b)), "%s and %s", test.a, test.b)
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	check := redirect.SameServerOnly(foreign.NewMask("s3cret-token"))
	ask := func(method, target string, hops int) error {
		first := &http.Request{Method: http.MethodPost, URL: parse(t, "https://git.example/a")}
		via := slices.Repeat([]*http.Request{first}, hops)
		return check(&http.Request{Method: method, URL: parse(t, target)}, via)
	}
	require.NoError(t, ask("POST", "https://git.example:443/b", 1))
	require.NoError(t, ask("POST", "https://git.example/b", redirect.MaxRedirects))
	for _, test := range []struct {
		method, target string
		hops           int
		want           string
	}{
		{"POST", "https://evil.example/?token=x", 1, `redirected to another server "https://evil.example": refusing to send credentials there`},
		{"POST", "http://git.example/a", 1, `redirected to another server "http://git.example": refusing`},
		{"POST", "https://S3cret-Token.example", 1, `redirected to another server "https://***.example": refusing`},
		{"GET", "https://git.example/b", 1, "redirected: a POST would become a GET"},
		{"POST", "https://git.example/b", redirect.MaxRedirects + 1, "redirected more than 5 times"},
	} {
		err := ask(test.method, test.target, test.hops)
		require.ErrorIs(t, err, redirect.ErrRefused)
		require.ErrorContains(t, err, test.want)
	}
}

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u
}

// Credentials that went over plain HTTP as configured may go on over TLS; they never go back.
func TestFromHTTPToHTTPS(t *testing.T) {
	t.Parallel()
	check := redirect.SameServerOnly(nil)
	hop := func(chain ...string) error {
		var via []*http.Request
		for _, u := range chain {
			via = append(via, &http.Request{Method: http.MethodGet, URL: parse(t, u)})
		}
		last := len(via) - 1
		return check(via[last], via[:last])
	}
	require.NoError(t, hop("http://git.example/a", "https://git.example/a"))
	require.NoError(t, hop("http://git.example:80/a", "https://Git.example:443/a", "https://git.example/b"))
	for _, chain := range [][]string{
		{"http://git.example/a", "https://git.example/a", "http://git.example/a"},
		{"http://git.example/a", "https://git.example:8443/a"},
		{"http://git.example:8080/a", "https://git.example/a"},
		{"https://git.example:80/a", "http://git.example:443/a"},
		{"http://git.example/a", "http://git.example:443/a"},
		{"https://git.example:80/a", "https://git.example/a"},
		{"http://git.example/a", "https://sub.git.example/a"},
		{"http://git.example/a", "https://git.example/a", "https://evil.example/a"},
	} {
		require.ErrorIs(t, hop(chain...), redirect.ErrRefused, "%q", chain)
	}
}

// net/http leaves them out where it takes another spelling of the host for another host.
func TestCredentialsGoAlong(t *testing.T) {
	t.Parallel()
	check := redirect.SameServerOnly(nil)
	first := &http.Request{Method: http.MethodPost, URL: parse(t, "https://git.example/a"), Header: http.Header{"Authorization": {"Basic x"}}}
	for target, follows := range map[string]bool{"https://GIT.example:443/b": true, "https://evil.example/b": false} {
		next := &http.Request{Method: http.MethodPost, URL: parse(t, target), Header: http.Header{}}
		err := check(next, []*http.Request{first})
		require.Equal(t, follows, err == nil)
		require.Equal(t, follows, next.Header.Get("Authorization") != "", target)
	}
	anonymous := &http.Request{Method: http.MethodPost, URL: parse(t, "https://git.example/b"), Header: http.Header{}}
	require.NoError(t, check(anonymous, []*http.Request{{Method: http.MethodPost, URL: first.URL}}))
	require.NotContains(t, anonymous.Header, "Authorization")
}
