package smarthttp_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

func fetch(t *testing.T, client *smarthttp.Client, want, have string) (pack []byte, common string) {
	t.Helper()
	request := smarthttp.FetchRequest{Repo: repo, Wants: []string{want}}
	if have != "" {
		request.Haves, request.Thin = []string{have}, true
	}
	return fetchAll(t, client, request)
}

func fetchAll(t *testing.T, client *smarthttp.Client, request smarthttp.FetchRequest) (pack []byte, common string) {
	t.Helper()
	stream, err := client.FetchPack(t.Context(), request)
	require.NoError(t, err)
	common = stream.Common()
	pack, err = io.ReadAll(stream)
	require.NoError(t, err)
	require.NoError(t, stream.Close())
	return pack, common
}

// index unpacks into an empty repository, as any receiver would, and returns the
// repository's directory.
func index(t *testing.T, packs ...[]byte) string {
	t.Helper()
	dir := t.TempDir()
	run := func(stdin []byte, args ...string) {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir, cmd.Stdin = dir, bytes.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	run(nil, "init", "--quiet", "--bare")
	for _, pack := range packs {
		run(pack, "index-pack", "--strict", "--stdin", "--fix-thin")
	}
	return dir
}

func revList(t *testing.T, dir, commit string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "rev-list", "--objects", commit)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.TrimSpace(string(out))
}

func hasObject(t *testing.T, dir, hash string) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "cat-file", "-e", hash)
	cmd.Dir = dir
	return cmd.Run() == nil
}

func TestFetchSnapshot(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, opts ...gitserver.Option) {
		server, client := newServer(t, opts...)
		commit(t, server, "main", "1")
		tip := commit(t, server, "main", "2")
		other := commit(t, server, "other", "elsewhere")
		git(t, server, "tag", "-a", "-m", "tag", "v1", tip)

		pack, common := fetch(t, client, tip, "")
		require.Empty(t, common)
		copied := index(t, pack)
		require.Equal(t, revList(t, server.Dir(repo), tip), revList(t, copied, tip))
		require.False(t, hasObject(t, copied, other), "another branch came along")
		require.False(t, hasObject(t, copied, git(t, server, "rev-parse", "v1")), "a tag came along")
	})
}

func TestFetchIncrement(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	long := strings.Repeat(payload, 1000)
	base := commit(t, server, "main", long+"1")
	tip := commit(t, server, "main", long+"2")
	snapshot, _ := fetch(t, client, base, "")

	pack, common := fetch(t, client, tip, base)
	require.Equal(t, base, common)
	cmd := exec.CommandContext(t.Context(), "git", "index-pack", "--stdin")
	cmd.Dir, cmd.Stdin = index(t), bytes.NewReader(pack)
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "unresolved delta", "a thin pack builds on its base")

	require.Equal(t, revList(t, server.Dir(repo), tip), revList(t, index(t, snapshot, pack), tip))

	stream, err := client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo, Wants: []string{tip}, Haves: []string{base}})
	require.NoError(t, err)
	pack, err = io.ReadAll(stream)
	require.NoError(t, err)
	require.NoError(t, stream.Close())
	cmd = exec.CommandContext(t.Context(), "git", "index-pack", "--stdin")
	cmd.Dir, cmd.Stdin = index(t), bytes.NewReader(pack)
	out, err = cmd.CombinedOutput()
	require.NoError(t, err, "one that is not thin does not: %s", out)
}

func TestFetchWithUnknownBaseIsASnapshot(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	commit(t, server, "main", "1")
	tip := commit(t, server, "main", "2")
	pack, common := fetch(t, client, tip, absent)
	require.Empty(t, common)
	require.Equal(t, revList(t, server.Dir(repo), tip), revList(t, index(t, pack), tip))
}

func TestFetchNothingNew(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	tip := commit(t, server, "main", "1")
	pack, common := fetch(t, client, tip, tip)
	require.Equal(t, tip, common)
	require.Len(t, pack, 12+20, "an empty pack")
}

func TestFetchOfVanishedCommit(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	commit(t, server, "main", "1")
	gone := commit(t, server, "feature", "2")
	git(t, server, "update-ref", "-d", "refs/heads/feature")
	for _, want := range []string{gone, absent} {
		_, err := client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo, Wants: []string{want}})
		require.ErrorIs(t, err, smarthttp.ErrNotOurRef)
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, opts ...gitserver.Option) {
		server, client := newServer(t, opts...)
		first, second := commit(t, server, "main", "1"), commit(t, server, "main", "2")
		other := commit(t, server, "other", "3")
		for name, tt := range map[string]struct{ ask, want []string }{
			"all, in their order": {[]string{first, other, second}, []string{first, other, second}},
			"some":                {[]string{absent, second, strings.Repeat("a", 40), first}, []string{second, first}},
			"none":                {[]string{absent}, []string{}},
			"nothing asked":       {nil, []string{}},
		} {
			t.Run(name, func(t *testing.T) {
				known, err := client.Known(t.Context(), repo, second, tt.ask...)
				require.NoError(t, err)
				require.ElementsMatch(t, tt.want, known)
				require.Equal(t, len(tt.want), len(known))
				for i := range tt.want {
					require.Equal(t, tt.want[i], known[i])
				}
			})
		}
		_, err := client.Known(t.Context(), repo, absent, first)
		require.ErrorIs(t, err, smarthttp.ErrNotOurRef)
	})
}

// tamper changes the answer that has the pack on its way to the client.
func tamper(change func([]byte) []byte) gitserver.Option {
	return relayed(func(w http.ResponseWriter, answer []byte) { _, _ = w.Write(change(answer)) })
}

// relayed lets send take the answer that has the pack to the client.
func relayed(send func(w http.ResponseWriter, answer []byte)) gitserver.Option {
	return gitserver.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet || r.Header.Get("Git-Protocol") != "" {
				next.ServeHTTP(w, r)
				return
			}
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
			send(w, answer.Body.Bytes())
		})
	})
}

func TestFetchDetectsDamage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func([]byte) []byte
		want   error
	}{
		"flipped bit": {func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, smarthttp.ErrCorruptPack},
		"no header":   {func(b []byte) []byte { return bytes.Replace(b, []byte("PACK"), []byte("JACK"), 1) }, smarthttp.ErrCorruptPack},
		"bad version": {func(b []byte) []byte {
			return bytes.Replace(b, []byte("PACK\x00\x00\x00\x02"), []byte("PACK\x00\x00\x00\x04"), 1)
		}, smarthttp.ErrCorruptPack},
		"cut in a packet":     {func(b []byte) []byte { return b[:len(b)/2] }, io.ErrUnexpectedEOF},
		"cut before flush":    {func(b []byte) []byte { return b[:len(b)-4] }, io.ErrUnexpectedEOF},
		"cut in the flush":    {func(b []byte) []byte { return b[:len(b)-2] }, io.ErrUnexpectedEOF},
		"flush before packet": {func(b []byte) []byte { return append(b[:8:8], "0000"...) }, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := newServer(t, tamper(tt.change))
			tip := commit(t, server, "main", strings.Repeat(payload, 10))
			stream, err := client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo, Wants: []string{tip}})
			require.NoError(t, err)
			defer func() { _ = stream.Close() }()
			_, err = io.Copy(io.Discard, stream)
			require.ErrorIs(t, err, tt.want)
			require.ErrorContains(t, err, server.URL()+"/group/sub/n%C3%A4me.git")
			_, again := stream.Read(make([]byte, 1))
			require.Equal(t, err, again)
		})
	}
	t.Run("data after the end", func(t *testing.T) {
		server, client := newServer(t, tamper(func(b []byte) []byte { return append(b, '0') }))
		tip := commit(t, server, "main", "1")
		stream, err := client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo, Wants: []string{tip}})
		require.NoError(t, err)
		defer func() { _ = stream.Close() }()
		_, err = io.Copy(io.Discard, stream)
		require.ErrorContains(t, err, "data after the end")
	})
}

// A repository that lost an object: upload-pack notices after it has started.
func TestFetchReportsTheServersFailure(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	tip := commit(t, server, "main", "1")
	blob := git(t, server, "rev-parse", tip+":file")
	require.NoError(t, os.Remove(server.Dir(repo)+"/objects/"+blob[:2]+"/"+blob[2:]))
	stream, err := client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo, Wants: []string{tip}})
	require.NoError(t, err)
	defer func() { _ = stream.Close() }()
	_, err = io.Copy(io.Discard, stream)
	require.ErrorContains(t, err, "server failed: aborting due to possible repository corruption")
	require.ErrorContains(t, err, blob, "the reason came on the progress channel")
	require.NotErrorIs(t, err, smarthttp.ErrPartial)
}

func TestFetchStopsWithItsContext(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	tip, err := server.Generate(t.Context(), repo, "main", gitserver.History{Bytes: 8 << 20, Commits: 8})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := client.FetchPack(ctx, smarthttp.FetchRequest{Repo: repo, Wants: []string{tip}})
	require.NoError(t, err)
	defer func() { _ = stream.Close() }()
	_, err = io.ReadFull(stream, make([]byte, 1000))
	require.NoError(t, err)
	cancel()
	_, err = io.Copy(io.Discard, stream)
	require.ErrorIs(t, err, context.Canceled)
}
