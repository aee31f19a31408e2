package smarthttp_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

func TestWrongCredentialsAndRepositories(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	u, err := url.Parse(server.URL())
	require.NoError(t, err)
	u.User = url.UserPassword("inurl", "hidden")
	stranger := smarthttp.New(smarthttp.Options{Forge: gitlab.At(u), Username: "bot", Password: "gu3ss"})

	for name, tt := range map[string]struct {
		client *smarthttp.Client
		repo   string
		want   error
	}{
		"wrong password": {stranger, repo, smarthttp.ErrUnauthorized},
		"no repository":  {client, "group/none", smarthttp.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			_, heads := headsOf(t.Context(), tt.client, tt.repo, "main")
			_, fetch := tt.client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: tt.repo, Wants: []string{absent}})
			_, known := tt.client.Known(t.Context(), tt.repo, absent)
			push := tt.client.Push(t.Context(), smarthttp.PushRequest{Repo: tt.repo, Updates: []smarthttp.RefUpdate{{Ref: "refs/heads/main", New: absent}}})
			for _, err := range []error{heads, fetch, known, push} {
				require.ErrorIs(t, err, tt.want)
				require.ErrorContains(t, err, server.URL()+"/group/")
				for _, secret := range []string{"gu3ss", "s3cret", "inurl", "hidden"} {
					require.NotContains(t, err.Error(), secret)
				}
			}
		})
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	const advertisement = "application/x-git-upload-pack-advertisement"
	for name, tt := range map[string]struct {
		code              int
		contentType, body string
		is                error
		text              string
	}{
		"forbidden":    {403, "text/plain; charset=utf-8", "You are \x1b[1mnot\x1b[0m allowed\n", smarthttp.ErrForbidden, "not allowed to the credentials' owner (http status 403): You are not allowed (request id abc)"},
		"not found":    {404, "text/html", "<html>", smarthttp.ErrNotFound, "may not read it (http status 404) (request id abc)"},
		"overloaded":   {503, "text/plain", strings.Repeat("x", 1000), smarthttp.ErrUnavailable, "server unavailable (http status 503): " + strings.Repeat("x", 199) + "… (request id abc)"},
		"echo":         {500, "text/plain", "Authorization: Basic Ym90OnMzY3JldA== (s3cret)", smarthttp.ErrServerFailed, "server failed (http status 500): Authorization: Basic *** (***) (request id abc)"},
		"rate limited": {429, "text/plain", "", smarthttp.ErrRateLimited, "too many requests (http status 429) (retry after 7s) (request id abc)"},
		"credentials":  {401, "text/plain", "", smarthttp.ErrUnauthorized, "credentials refused (http status 401)"},
		"gone":         {410, "text/html", "<html>", smarthttp.ErrNotFound, "may not read it (http status 410)"},
		"name":         {400, "text/plain", "", smarthttp.ErrRejected, "request rejected (http status 400)"},
		"entity":       {422, "text/plain", "", smarthttp.ErrRejected, "request rejected (http status 422)"},
		"too large":    {413, "text/html", "<html>", smarthttp.ErrTooLarge, "request too large for the server (http status 413)"},
		"proxy":        {407, "text/html", "<html>", httpclient.ErrProxyAuth, "the proxy wants credentials (http status 407)"},
		"bad gateway":  {502, "text/html", "<html>", smarthttp.ErrUnavailable, "server unavailable (http status 502)"},
		"timeout":      {504, "text/html", "<html>", smarthttp.ErrUnavailable, "server unavailable (http status 504)"},
		"login page":   {200, "text/html; charset=utf-8", "<html>", smarthttp.ErrNotGit, `content type is "text/html; charset=utf-8"`},
		"no content":   {204, advertisement, "", nil, ": http status 204 (request id abc)"},
		"no ID":        {418, "text/plain", "teapot", smarthttp.ErrRejected, "request rejected (http status 418): teapot"},
	} {
		t.Run(name, func(t *testing.T) {
			client := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.contentType)
				if name != "no ID" {
					w.Header().Set("X-Request-Id", "abc")
				}
				if tt.code == http.StatusTooManyRequests {
					w.Header().Set("Retry-After", "7")
				}
				w.WriteHeader(tt.code)
				_, _ = w.Write([]byte(tt.body))
			})
			_, err := headsOf(t.Context(), client, repo, "main")
			require.ErrorContains(t, err, tt.text)
			require.Equal(t, name != "no ID" && tt.code != http.StatusOK, strings.HasSuffix(err.Error(), "(request id abc)"))
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			var status *smarthttp.StatusError
			require.Equal(t, tt.code != http.StatusOK, errors.As(err, &status))
			if status != nil {
				require.Equal(t, tt.code, status.Code)
			}
		})
	}
}

// GitLab answers requests for a renamed project this way.
func TestRedirectToAnotherPath(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, opts ...gitserver.Option) {
		renamed := func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if rest, ok := strings.CutPrefix(r.URL.Path, "/old/path.git"); ok {
					http.Redirect(w, r, "/group/sub/n%C3%A4me.git"+rest+"?"+r.URL.RawQuery, http.StatusMovedPermanently)
					return
				}
				next.ServeHTTP(w, r)
			})
		}
		server, client := newServer(t, append(opts, gitserver.WithMiddleware(renamed))...)
		tip := commit(t, server, "main", "1")

		heads, err := headsOf(t.Context(), client, "old/path", "main")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"main": tip}, heads)
		stream, err := client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: "old/path", Wants: []string{tip}, Haves: []string{tip}})
		require.NoError(t, err)
		require.NoError(t, client.Push(t.Context(), smarthttp.PushRequest{
			Repo: "old/path", Updates: []smarthttp.RefUpdate{{Ref: "refs/heads/copy", New: tip}}, Pack: stream, PackSize: 32,
		}))
		require.NoError(t, stream.Close())
		require.Equal(t, tip, git(t, server, "rev-parse", "refs/heads/copy"))
	})
}

func TestRedirectsThatAreNotFollowed(t *testing.T) {
	t.Parallel()
	leaked := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked = true }))
	t.Cleanup(elsewhere.Close)

	for name, tt := range map[string]struct {
		method, target, want string
	}{
		"another host":          {http.MethodGet, elsewhere.URL + "/group/name.git/info/refs", "redirected to another server \"" + elsewhere.URL + "\": refusing to send credentials there"},
		"another scheme":        {http.MethodGet, "https://{host}/info/refs", "refusing to send credentials there"},
		"around in a circle":    {http.MethodGet, "/again", "redirected more than 5 times"},
		"another host, a POST":  {http.MethodPost, elsewhere.URL + "/git-upload-pack", "redirected: a POST is not sent anywhere else"},
		"the same host, a POST": {http.MethodPost, "/git-upload-pack", "redirected: a POST is not sent anywhere else"},
	} {
		t.Run(name, func(t *testing.T) {
			redirect := func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == tt.method {
						http.Redirect(w, r, strings.Replace(tt.target, "{host}", r.Host, 1), http.StatusTemporaryRedirect)
						return
					}
					next.ServeHTTP(w, r)
				})
			}
			_, client := newServer(t, gitserver.WithMiddleware(redirect))
			_, err := headsOf(t.Context(), client, repo, "main")
			require.ErrorIs(t, err, smarthttp.ErrRedirected)
			require.ErrorContains(t, err, tt.want)
			require.False(t, leaked)

			_, client = newServer(t, gitserver.WithMiddleware(redirect))
			err = client.Push(t.Context(), smarthttp.PushRequest{Repo: repo, Updates: []smarthttp.RefUpdate{{Ref: "refs/heads/main", New: absent}}, Pack: strings.NewReader("PACK"), PackSize: 4})
			require.ErrorIs(t, err, smarthttp.ErrRedirected)
			require.False(t, leaked)
		})
	}
	t.Run("not to a repository", func(t *testing.T) {
		client := newFake(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/sign_in" {
				http.Redirect(w, r, "/sign_in", http.StatusFound)
				return
			}
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			_, _ = w.Write([]byte("0000"))
		})
		_, err := headsOf(t.Context(), client, repo, "main")
		require.ErrorIs(t, err, smarthttp.ErrRedirected)
		require.ErrorContains(t, err, `"/sign_in", which is not a repository`)
	})
}

func TestBaseURLWithPath(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/git%20lab", "/git%2Flab"} {
		below := func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasPrefix(r.URL.EscapedPath(), path+"/group/") {
					http.NotFound(w, r)
					return
				}
				r.URL.Path, r.URL.RawPath = r.URL.Path[len("/git lab"):], ""
				next.ServeHTTP(w, r)
			})
		}
		server, _ := newServer(t, gitserver.WithMiddleware(below))
		tip := commit(t, server, "main", "1")
		heads, err := headsOf(t.Context(), newClient(t, server.URL()+path+"/"), repo, "main")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"main": tip}, heads)
	}
}

func TestRequestsStopWithTheirContext(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 1)
	client := newFake(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := headsOf(ctx, client, repo, "main")
	require.ErrorIs(t, err, context.Canceled)
}

func TestUnreachableServer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	server.Close()
	_, err := headsOf(t.Context(), newClient(t, server.URL), "group/name", "main")
	require.ErrorContains(t, err, "list refs of "+server.URL+"/group/name.git: connection to "+server.Listener.Addr().String()+" refused")
	require.ErrorIs(t, err, httpclient.ErrNoConnection)
}

// Either of both is enough to log in with. With neither of them nothing is sent.
func TestLogin(t *testing.T) {
	t.Parallel()
	type login struct {
		name, password string
		sent           bool
	}
	for _, want := range []login{{"bot", "s3cret", true}, {"", "s3cret", true}, {"bot", "", true}, {"", "", false}} {
		var got []login
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			name, password, sent := r.BasicAuth()
			got = append(got, login{name, password, sent})
		}))
		u, err := url.Parse(server.URL)
		require.NoError(t, err)
		_, err = headsOf(t.Context(), smarthttp.New(smarthttp.Options{Forge: gitlab.At(u), Username: want.name, Password: want.password}), repo, "main")
		require.ErrorIs(t, err, smarthttp.ErrNotGit)
		require.Equal(t, []login{want}, got)
		server.Close()
	}
}

// A server is told who asks, for what, and that packs are compressed already.
func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer server.Close()
	client := newClientWith(t, server.URL, smarthttp.Options{Agent: "program/1"})
	_, err := headsOf(t.Context(), client, repo, "main")
	require.ErrorIs(t, err, smarthttp.ErrNotGit)
	require.Equal(t, "application/x-git-upload-pack-advertisement", got.Get("Accept"))
	require.Equal(t, "identity", got.Get("Accept-Encoding"))
	require.Equal(t, "program/1", got.Get("User-Agent"))
	_, err = headsOf(t.Context(), newClient(t, server.URL), repo, "main")
	require.ErrorIs(t, err, smarthttp.ErrNotGit)
	require.Equal(t, "git-partition-sync", got.Get("User-Agent"))
}
