package smarthttp_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// altered lets a real server's answers pass through change.
func altered(change func(http.ResponseWriter) http.ResponseWriter) gitserver.Option {
	return gitserver.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			changed := change(w)
			next.ServeHTTP(changed, r)
			if c, ok := changed.(io.Closer); ok {
				_ = c.Close()
			}
		})
	})
}

// headers rewrites an answer's headers before they are sent.
type headers struct {
	http.ResponseWriter
	rewrite func(http.Header)
}

func (h headers) WriteHeader(code int) {
	h.rewrite(h.Header())
	h.ResponseWriter.WriteHeader(code)
}

type zipped struct {
	headers
	gzip *gzip.Writer
}

func (z zipped) Write(b []byte) (int, error) { return z.gzip.Write(b) }
func (z zipped) Close() error                { return z.gzip.Close() }

// roundTrip reads the heads, fetches a branch and pushes it to another.
func roundTrip(t *testing.T, server *gitserver.Server, client *smarthttp.Client) {
	t.Helper()
	tip := commit(t, server, "main", "1")
	heads, err := headsOf(t.Context(), client, repo, "main")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"main": tip}, heads)
	stream, err := client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo, Wants: []string{tip}})
	require.NoError(t, err)
	pack, err := io.ReadAll(stream)
	require.NoError(t, err)
	require.NoError(t, stream.Close())
	require.NoError(t, client.Push(t.Context(), smarthttp.PushRequest{
		Repo: repo, Updates: []smarthttp.RefUpdate{{Ref: "refs/heads/copy", New: tip}}, Pack: strings.NewReader(string(pack)), PackSize: int64(len(pack)),
	}))
	require.Equal(t, tip, git(t, server, "rev-parse", "refs/heads/copy"))
}

func TestContentTypesThatMeanTheSame(t *testing.T) {
	t.Parallel()
	for name, rewrite := range map[string]func(string) string{
		"with parameters": func(kind string) string { return kind + "; charset=utf-8" },
		"in other case":   strings.ToUpper,
	} {
		t.Run(name, func(t *testing.T) {
			inHeader := func(h http.Header) { h.Set("Content-Type", rewrite(h.Get("Content-Type"))) }
			server, client := newServer(t, altered(func(w http.ResponseWriter) http.ResponseWriter { return headers{w, inHeader} }))
			roundTrip(t, server, client)
		})
	}
}

// Some proxies compress whatever passes, though identity was asked for.
func TestGzipThatWasNotAskedFor(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gzip", "X-GZIP"} {
		rewrite := func(h http.Header) {
			h.Set("Content-Encoding", name)
			h.Del("Content-Length")
		}
		server, client := newServer(t, altered(func(w http.ResponseWriter) http.ResponseWriter {
			return zipped{headers{w, rewrite}, gzip.NewWriter(w)}
		}))
		roundTrip(t, server, client)
	}
}

func TestOtherEncodingsAreNamed(t *testing.T) {
	t.Parallel()
	rewrite := func(h http.Header) { h.Set("Content-Encoding", "br") }
	_, client := newServer(t, altered(func(w http.ResponseWriter) http.ResponseWriter { return headers{w, rewrite} }))
	_, err := headsOf(t.Context(), client, repo, "main")
	require.ErrorIs(t, err, smarthttp.ErrNotGit)
	require.ErrorContains(t, err, `it is compressed as "br", which was not asked for`)
}

func TestErrorsInAnAnswerThatSaysOK(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"Repository not found.": smarthttp.ErrNotFound,
		"The project you were looking for could not be found or you don't have permission to view it.": smarthttp.ErrNotFound,
		"access denied or repository not exported: /group/name":                                        smarthttp.ErrNotFound,
		"internal server error": smarthttp.ErrServerFailed,
	} {
		client := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			_, _ = io.WriteString(w, pkt("# service=git-upload-pack\n")+"0000"+pkt("ERR "+text))
		})
		_, err := headsOf(t.Context(), client, repo, "main")
		require.ErrorIs(t, err, want)
		require.ErrorContains(t, err, text)
	}
}

// GitLab answers this for a project that was renamed. What the new path is decides whether it may be pushed to.
func TestRedirectsAreHeldToWhatIsAllowed(t *testing.T) {
	t.Parallel()
	renamed := gitserver.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for old, renamed := range map[string]string{"/git/old/one.git": "/git/group/sub/n%C3%A4me.git", "/git/old/two.git": "/git/forbidden/two.git", "/git/old/three.git": "/elsewhere/x.git"} {
				if rest, ok := strings.CutPrefix(r.URL.Path, old); ok {
					http.Redirect(w, r, renamed+rest+"?"+r.URL.RawQuery, http.StatusMovedPermanently)
					return
				}
			}
			r.URL.Path = strings.Replace(r.URL.Path, "/forbidden/two.git", "/group/sub/näme.git", 1)
			r.URL.Path = strings.Replace(r.URL.Path, "/elsewhere/x.git", "/git/group/sub/näme.git", 1)
			http.StripPrefix("/git", next).ServeHTTP(w, r)
		})
	})
	server, _ := newServer(t, renamed)
	tip := commit(t, server, "main", "1")
	client := newClientWith(t, server.URL()+"/git/", smarthttp.Options{AllowRedirectTo: func(path string) bool { return path == repo }})

	heads, err := headsOf(t.Context(), client, "old/one", "main")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"main": tip}, heads)
	for path, want := range map[string]string{"old/two": `"forbidden/two"`, "old/three": `"/elsewhere/x"`} {
		_, err = headsOf(t.Context(), client, path, "main")
		require.ErrorIs(t, err, smarthttp.ErrMovedElsewhere)
		require.ErrorContains(t, err, "moved to a repository that is not allowed: "+want)
		err = client.Push(t.Context(), smarthttp.PushRequest{Repo: path, Updates: []smarthttp.RefUpdate{{Ref: "refs/heads/main", Old: tip}}})
		require.ErrorIs(t, err, smarthttp.ErrMovedElsewhere)
	}
	require.Equal(t, tip, git(t, server, "rev-parse", "refs/heads/main"))

	_, err = headsOf(t.Context(), newClientWith(t, server.URL()+"/git/", smarthttp.Options{}), "old/one", "main")
	require.ErrorIs(t, err, smarthttp.ErrMovedElsewhere, "nobody has said what is allowed")
}

// A base URL without a port and a redirect with one, and the other way round, name the same server; and so
// does https in place of http.
func TestRedirectsToTheSameServerUnderAnotherName(t *testing.T) {
	for from, to := range map[string]string{
		"http://git.test":    "http://GIT.test:80",
		"http://git.test:80": "http://git.test",
		"https://git.test":   "https://git.test:443",
		"http://git.test/":   "https://git.test",
	} {
		client, asked := twoDoors(t, from, to)
		heads, err := headsOf(t.Context(), client, repo, "main")
		require.NoError(t, err, from)
		require.Empty(t, heads)
		require.Equal(t, []string{login.User + ":" + login.Password}, *asked, "credentials go along")
	}
}

func twoDoors(t *testing.T, from, to string) (*smarthttp.Client, *[]string) {
	t.Helper()
	var asked []string
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/new/") {
			http.Redirect(w, r, to+"/new/x.git/info/refs?"+r.URL.RawQuery, http.StatusMovedPermanently)
			return
		}
		user, password, _ := r.BasicAuth()
		asked = append(asked, user+":"+password)
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		_, _ = io.WriteString(w, "0000")
	})
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	return newClientWith(t, from, smarthttp.Options{AllowRedirectTo: project.AllowAll().AllowsPath, HTTP: dialing(secure, map[string]string{
		"git.test:80": plain.Listener.Addr().String(), "GIT.test:80": plain.Listener.Addr().String(), "git.test:443": secure.Listener.Addr().String(),
	})}), &asked
}
