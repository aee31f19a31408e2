package smarthttp_test

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

const cloned = "group/clone"

// clone makes an incomplete copy of the repository on the same server.
func clone(t *testing.T, server *gitserver.Server, how ...string) {
	t.Helper()
	git(t, server, "config", "uploadpack.allowFilter", "true")
	args := append([]string{"clone", "--quiet", "--bare", "file://" + server.Dir(repo), server.Dir(cloned)}, how...)
	out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput()
	require.NoError(t, err, string(out))
}

// What a shallow clone sends looks like a whole history, and no other repository can take it.
func TestShallowSource(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, opts ...gitserver.Option) {
		server, client := newServer(t, opts...)
		commit(t, server, "main", "1")
		old := commit(t, server, "other", "2")
		commit(t, server, "main", "3")
		tip := commit(t, server, "main", "4")
		clone(t, server, "--depth=2", "--branch=main")

		_, err := client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: cloned, Wants: []string{tip}})
		require.ErrorIs(t, err, smarthttp.ErrShallow)
		require.ErrorContains(t, err, "/group/clone.git: the repository is a shallow clone")

		_, err = server.Git(t.Context(), cloned, "fetch", "--quiet", "--update-shallow", "file://"+server.Dir(repo), "other:other")
		require.NoError(t, err)
		stream, err := client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: cloned, Wants: []string{old}})
		if len(opts) > 0 { // v0 does not tell which history it is that is cut off
			require.ErrorIs(t, err, smarthttp.ErrShallow)
		} else {
			require.NoError(t, err, "the history of another commit is cut off")
			require.NoError(t, stream.Close())
		}

		git(t, server, "-c", "user.name=a", "-c", "user.email=a@example.com", "tag", "-a", "-m", "a tag", "v1", tip)
		tag, err := server.Git(t.Context(), repo, "rev-parse", "refs/tags/v1")
		require.NoError(t, err)
		_, err = server.Git(t.Context(), cloned, "fetch", "--quiet", "--depth=2", "file://"+server.Dir(repo), "refs/tags/v1:refs/tags/v1")
		require.NoError(t, err)
		_, err = client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: cloned, Wants: []string{tag}})
		require.ErrorIs(t, err, smarthttp.ErrShallow, "behind an annotated tag")

		for _, whole := range []string{tip, old, tag} {
			stream, err := client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo, Wants: []string{whole}})
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, stream)
			require.NoError(t, err)
			require.NoError(t, stream.Close())
		}
	})
}

// A server bounds requests, so that it is asked for some of very many objects only.
func TestShallowSourceOfMany(t *testing.T) {
	t.Parallel()
	const many = 2000 // each of them twice is 200 kB
	server, client := newServer(t)
	commit(t, server, "main", "1")
	tip := commit(t, server, "main", "2")
	git(t, server, "config", "http.maxRequestBuffer", "120k")
	wants := tagMany(t, server, tip, many)
	stream, err := client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo, Wants: wants})
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, stream)
	require.NoError(t, err)
	require.NoError(t, stream.Close())

	clone(t, server, "--depth=1", "--branch=main")
	_, err = server.Git(t.Context(), cloned, "fetch", "--quiet", "--depth=1", "file://"+server.Dir(repo), "refs/tags/*:refs/tags/*")
	require.NoError(t, err)
	_, err = client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: cloned, Wants: wants})
	require.ErrorIs(t, err, smarthttp.ErrShallow)
}

// tagMany makes annotated tags of an object, and returns them.
func tagMany(t *testing.T, server *gitserver.Server, of string, n int) (tags []string) {
	t.Helper()
	var in bytes.Buffer
	for i := range n {
		fmt.Fprintf(&in, "tag v%06d\nfrom %s\ntagger a <a@example.com> 1700000000 +0000\ndata 1\nx\n", i, of)
	}
	require.NoError(t, server.Import(t.Context(), repo, &in))
	return strings.Fields(git(t, server, "for-each-ref", "--format=%(objectname)", "refs/tags/"))
}

func TestPartialSource(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	commit(t, server, "main", "1")
	tip := commit(t, server, "main", "2")
	clone(t, server, "--filter=blob:none")
	stream, err := client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: cloned, Wants: []string{tip}})
	if err == nil {
		_, err = io.Copy(io.Discard, stream)
		require.NoError(t, stream.Close())
	}
	require.ErrorIs(t, err, smarthttp.ErrPartial)
	require.ErrorContains(t, err, "the repository is a partial clone: server failed: ")
}
