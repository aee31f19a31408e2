package smarthttp_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

func TestHeads(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, opts ...gitserver.Option) {
		server, client := newServer(t, opts...)
		mainTip, release := commit(t, server, "main", "1"), commit(t, server, "release/1.0", "2")
		commit(t, server, "main-2", "3") // shares a prefix with a wanted branch
		git(t, server, "tag", "-a", "-m", "tag", "main", "main")

		heads, err := headsOf(t.Context(), client, repo, "main", "release/1.0", "missing")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"main": mainTip, "release/1.0": release}, heads)
	})
}

func TestHeadsOfEmptyRepository(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, opts ...gitserver.Option) {
		_, client := newServer(t, opts...)
		heads, err := headsOf(t.Context(), client, repo, "main")
		require.NoError(t, err)
		require.Empty(t, heads)
	})
}

func TestHeadsOfManyRefs(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, opts ...gitserver.Option) {
		server, client := newServer(t, opts...)
		tip := commit(t, server, "main", "1")
		var packed strings.Builder
		for n := range 20_000 {
			_, _ = fmt.Fprintf(&packed, "%s refs/heads/z%05d\n", tip, n)
		}
		require.NoError(t, os.WriteFile(filepath.Join(server.Dir(repo), "packed-refs"), []byte(packed.String()), 0o644))

		heads, err := headsOf(t.Context(), client, repo, "main", "z19999")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"main": tip, "z19999": tip}, heads)
	})
}

// With v2 the server filters: only v0 needs to list the refs in its first answer.
func TestHeadsSpeaksV2WhenTheServerDoes(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var requests []string
	record := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			r.Body = io.NopCloser(bytes.NewReader(body))
			mu.Lock()
			requests = append(requests, r.Method+" "+r.Header.Get("Git-Protocol")+" "+string(body))
			mu.Unlock()
			next.ServeHTTP(w, r)
		})
	}
	_, client := newServer(t, gitserver.WithMiddleware(record))
	_, err := headsOf(t.Context(), client, repo, "main")
	require.NoError(t, err)
	require.Equal(t, []string{"GET version=2 ", "POST version=2 " +
		pkt("command=ls-refs\n") + pkt("agent=git-partition-sync\n") + "0001" + pkt("ref-prefix refs/heads/main\n") + "0000"}, requests)
}

func TestHeadsOfNothing(t *testing.T) {
	t.Parallel()
	client := newFake(t, func(http.ResponseWriter, *http.Request) { t.Error("the server is not asked") })
	heads, err := headsOf(t.Context(), client, repo)
	require.NoError(t, err)
	require.Empty(t, heads)
}

func TestInvalidNames(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	tip := commit(t, server, "main", "1")
	_, err := client.Refs(t.Context(), repo, "")
	require.ErrorContains(t, err, "invalid ref")
	for _, branch := range []string{"", "a b", "main\n0032want", "a\x00b", "a\rb", "a\x7fb"} {
		_, err := headsOf(t.Context(), client, repo, branch)
		require.ErrorContains(t, err, "invalid ref", "%q", branch)
		err = client.Push(t.Context(), smarthttp.PushRequest{Repo: repo, Updates: []smarthttp.RefUpdate{{Ref: "refs/heads/" + branch, New: tip}}, Pack: strings.NewReader("")})
		require.ErrorContains(t, err, "invalid ref", "%q", branch)
	}
	for _, path := range []string{"", "group//name", "../name", "group/./name"} {
		_, err := headsOf(t.Context(), client, path, "main")
		if path == "" {
			require.ErrorIs(t, err, smarthttp.ErrNotFound)
			continue
		}
		require.ErrorContains(t, err, "invalid repository path", "%q", path)
	}
	_, err = client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo, Wants: []string{"main"}})
	require.ErrorContains(t, err, `invalid commit "main"`)
	_, err = client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo, Wants: []string{tip}, Haves: []string{tip + "\n"}})
	require.ErrorContains(t, err, "invalid commit")
}

func TestObjectFormat(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, opts ...gitserver.Option) {
		server, client := newServer(t, opts...)
		out, err := exec.CommandContext(t.Context(), "git", "init", "--quiet", "--bare", "--object-format=sha256", server.Dir("group/long")).CombinedOutput()
		require.NoError(t, err, string(out))
		_, err = server.Commit(t.Context(), "group/long", "main", nil, "first")
		require.NoError(t, err)
		_, err = headsOf(t.Context(), client, "group/long", "main")
		require.ErrorIs(t, err, smarthttp.ErrObjectFormat)
	})
}
