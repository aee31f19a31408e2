package smarthttp_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// A repository that speaks protocol v2 is not asked for that again.
func TestKnownRepositories(t *testing.T) {
	t.Parallel()
	door, server, client, tip := newWatched(t)
	require.Equal(t, tip, look(t, client))
	require.Equal(t, []string{"ls-refs"}, door.take())
	fetch(t, client, tip, "")
	require.Equal(t, []string{"fetch", "git-upload-pack"}, door.take())
	known, err := client.Known(t.Context(), repo, tip, absent, tip)
	require.NoError(t, err)
	require.Equal(t, []string{tip}, known)
	require.Equal(t, []string{"git-upload-pack"}, door.take())

	// Of several names and prefixes all are in one answer.
	git(t, server, "update-ref", "refs/sync/a/1", tip)
	git(t, server, "update-ref", "refs/other/1", tip)
	var names []string
	wanted := smarthttp.Wanted{Names: []string{"refs/heads/main"}, Prefixes: []string{"refs/sync/a/", "refs/sync/b/", "refs/other/"}}
	require.NoError(t, client.EachRef(t.Context(), repo, wanted, func(r smarthttp.Ref) error {
		names = append(names, r.Name)
		return nil
	}))
	require.ElementsMatch(t, []string{"refs/heads/main", "refs/sync/a/1", "refs/other/1"}, names)
	require.Equal(t, []string{"ls-refs"}, door.take())

	// Another one is.
	require.NoError(t, server.Create(t.Context(), "group/other"))
	_, err = headsOf(t.Context(), client, "group/other", "main")
	require.NoError(t, err)
	require.Equal(t, []string{"refs", "ls-refs"}, door.take())
}

// Behind the same address there may be a server without protocol v2 the next time, or for a while.
func TestServerIsDowngraded(t *testing.T) {
	t.Parallel()
	door, server, client, _ := newWatched(t)
	tip := commit(t, server, "main", "2")
	old := func(_ http.ResponseWriter, r *http.Request) bool {
		r.Header.Del("Git-Protocol")
		return false
	}
	for name, use := range map[string]func(){
		"look":  func() { require.Equal(t, tip, look(t, client)) },
		"fetch": func() { fetch(t, client, tip, "") },
	} {
		require.Equal(t, tip, look(t, client), name)
		door.take()
		door.becomes(old)
		use()
		require.Equal(t, "refs", door.take()[1], "%s: it is asked what it speaks", name)
		require.Equal(t, tip, look(t, client), name)
		require.Equal(t, []string{"refs"}, door.take(), "%s: protocol v0 is not taken for v2 again", name)
		door.becomes(nil)
		require.Equal(t, tip, look(t, client), name)
		require.Equal(t, []string{"refs", "ls-refs"}, door.take(), name)
	}
}

// What fails for a repository that is known is asked once more, as of one that is not; what says nothing of the repository is not.
func TestKnownRepositoryFails(t *testing.T) {
	t.Parallel()
	const result = "application/x-git-upload-pack-result"
	says := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		is     error // if it stays so; nil for any
		once   bool  // it is not asked again
	}{
		"credentials": {says(401, "text/plain", ""), smarthttp.ErrUnauthorized, false},
		"forbidden":   {says(403, "text/plain", ""), smarthttp.ErrForbidden, false},
		"not found":   {says(404, "text/html", ""), smarthttp.ErrNotFound, false},
		"rejected":    {says(400, "text/plain", ""), smarthttp.ErrRejected, false},
		"failed":      {says(500, "text/plain", ""), smarthttp.ErrServerFailed, false},
		"bad gateway": {says(502, "text/html", ""), smarthttp.ErrUnavailable, false},
		"unavailable": {says(503, "text/html", ""), smarthttp.ErrUnavailable, false},
		"login page":  {says(200, "text/html", "<html>"), smarthttp.ErrNotGit, false},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, smarthttp.ErrRedirected, false},
		"error packet": {says(200, result, pkt("ERR unknown command")), smarthttp.ErrServerFailed, false},
		"no such":      {says(200, result, pkt("ERR The project you were looking for could not be found.")), smarthttp.ErrNotFound, false},
		"nothing":      {says(200, result, ""), io.ErrUnexpectedEOF, false},
		"garbage":      {says(200, result, "<html>"), nil, false},
		"no commit":    {says(200, result, pkt("x refs/heads/main\n")+"0000"), nil, false},
		"closed":       {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, httpclient.ErrNoConnection, false},
		"rate limited": {says(429, "text/plain", ""), smarthttp.ErrRateLimited, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			door, _, client, tip := newWatched(t)
			left := 1
			answers := func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPost || left == 0 {
					return false
				}
				left--
				tt.answer(w, r)
				return true
			}
			door.becomes(answers)
			if tt.once {
				_, err := headsOf(t.Context(), client, repo, "main")
				require.ErrorIs(t, err, tt.is)
				require.Equal(t, []string{"ls-refs"}, door.take())
				require.Equal(t, tip, look(t, client))
				require.Equal(t, []string{"ls-refs"}, door.take(), "it is known as before")
				return
			}
			require.Equal(t, tip, look(t, client))
			require.Equal(t, []string{"ls-refs", "refs", "ls-refs"}, door.take())
			require.Equal(t, tip, look(t, client))
			require.Equal(t, []string{"ls-refs"}, door.take(), "it is known again")

			left = 3
			for _, want := range [][]string{{"ls-refs", "refs", "ls-refs"}, {"refs", "ls-refs"}} {
				_, err := headsOf(t.Context(), client, repo, "main")
				require.Error(t, err)
				if tt.is != nil {
					require.ErrorIs(t, err, tt.is)
				}
				require.Equal(t, want, door.take(), "a server that keeps failing is asked no more than a new one")
			}
		})
	}
}

// What has been passed on is not passed on again.
func TestKnownRepositoryFailsInTheMiddle(t *testing.T) {
	t.Parallel()
	door, _, client, tip := newWatched(t)
	door.becomes(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		_, _ = io.WriteString(w, pkt(tip+" refs/heads/a\n")+pkt(tip+" refs/heads/b\n")+pkt(tip+" refs/heads/c\n"))
		return true
	})
	var names []string
	err := client.EachRef(t.Context(), repo, smarthttp.Wanted{Prefixes: []string{"refs/heads/"}}, func(r smarthttp.Ref) error {
		names = append(names, r.Name)
		return nil
	})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, []string{"refs/heads/a", "refs/heads/b"}, names)
	require.Equal(t, []string{"ls-refs"}, door.take())
}

// A project's object format is its own, and may become another.
func TestKnownRepositoryBecomesSHA256(t *testing.T) {
	t.Parallel()
	_, server, client, tip := newWatched(t)
	require.NoError(t, server.Create(t.Context(), "group/other"))
	for range 2 {
		_, err := headsOf(t.Context(), client, "group/other", "main")
		require.NoError(t, err)
	}
	for _, empty := range []bool{true, false} {
		require.NoError(t, os.RemoveAll(server.Dir("group/other")))
		out, err := exec.CommandContext(t.Context(), "git", "init", "--quiet", "--bare", "--object-format=sha256", server.Dir("group/other")).CombinedOutput()
		require.NoError(t, err, string(out))
		if !empty {
			_, err = server.Commit(t.Context(), "group/other", "main", nil, "first")
			require.NoError(t, err)
		}
		_, err = headsOf(t.Context(), client, "group/other", "main")
		require.ErrorIs(t, err, smarthttp.ErrObjectFormat)
		require.Equal(t, tip, look(t, client))
	}
}

// Where the server redirects to another project, that is seen each time.
func TestRedirectsAreNotRemembered(t *testing.T) {
	t.Parallel()
	door, server, _, tip := newWatched(t)
	to := "/group/sub/n%C3%A4me.git"
	door.becomes(func(w http.ResponseWriter, r *http.Request) bool {
		rest, moved := strings.CutPrefix(r.URL.Path, "/old/path.git")
		if moved {
			http.Redirect(w, r, to+rest+"?"+r.URL.RawQuery, http.StatusMovedPermanently)
		}
		return moved
	})
	client := newClientWith(t, server.URL(), smarthttp.Options{AllowRedirectTo: func(project string) bool { return project == repo }})
	for range 2 {
		heads, err := headsOf(t.Context(), client, "old/path", "main")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"main": tip}, heads)
		require.Equal(t, []string{"refs", "refs", "ls-refs"}, door.take())
	}
	to = "/group/secret.git"
	require.NoError(t, server.Create(t.Context(), "group/secret"))
	_, err := headsOf(t.Context(), client, "old/path", "main")
	require.ErrorIs(t, err, smarthttp.ErrMovedElsewhere)
}

func TestKnownRepositoriesOfConcurrentLooks(t *testing.T) {
	t.Parallel()
	door, _, client, tip := newWatched(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			heads, err := headsOf(t.Context(), client, repo, "main")
			if err != nil || heads["main"] != tip {
				t.Errorf("%v, %v", heads, err)
			}
		})
	}
	group.Wait()
	require.Equal(t, slices.Repeat([]string{"ls-refs"}, 8), door.take())
}
