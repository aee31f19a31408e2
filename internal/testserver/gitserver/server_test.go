package gitserver_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

var auth = gitserver.Credentials{User: "bot", Password: "s3cret"}

func start(t *testing.T, opts ...gitserver.Option) *gitserver.Server {
	t.Helper()
	server, err := gitserver.Start(t.TempDir(), auth, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	return server
}

func withLogin(server *gitserver.Server, repo string) string {
	return strings.Replace(server.URL(), "://", "://"+auth.User+":"+auth.Password+"@", 1) + "/" + repo + ".git"
}

func git(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestStockGitClonesAndPushes(t *testing.T) {
	var chunked atomic.Int32
	server := start(t, gitserver.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength < 0 {
				chunked.Add(1)
			}
			next.ServeHTTP(w, r)
		})
	}))
	require.NoError(t, server.Create(t.Context(), "group/sub/source"))
	require.NoError(t, server.Create(t.Context(), "group/copy"))
	sha, err := server.Generate(t.Context(), "group/sub/source", "main", gitserver.History{Bytes: 3 << 20, Commits: 20})
	require.NoError(t, err)

	clone := filepath.Join(t.TempDir(), "clone")
	out, err := git(t, "", "clone", withLogin(server, "group/sub/source"), clone)
	require.NoError(t, err, out)
	out, err = git(t, clone, "push", withLogin(server, "group/copy"), "main:feature")
	require.NoError(t, err, out)

	require.Positive(t, chunked.Load(), "a push beyond http.postBuffer comes in chunks")
	pushed, err := server.Git(t.Context(), "group/copy", "rev-parse", "refs/heads/feature")
	require.NoError(t, err)
	require.Equal(t, sha, pushed)
}

func TestRefusesWrongCredentials(t *testing.T) {
	server := start(t)
	require.NoError(t, server.Create(t.Context(), "group/name"))

	_, err := git(t, "", "ls-remote", server.URL()+"/group/name.git")
	require.Error(t, err)
	_, err = git(t, "", "ls-remote", strings.Replace(withLogin(server, "group/name"), auth.Password, "guess", 1))
	require.Error(t, err)
	out, err := git(t, "", "ls-remote", withLogin(server, "group/name"))
	require.NoError(t, err, out)
}

func TestProtocolVersion(t *testing.T) {
	for name, tt := range map[string]struct {
		opts []gitserver.Option
		want string
	}{
		"v2 by default": {nil, "version 2"},
		"v0 on request": {[]gitserver.Option{gitserver.WithoutProtocolV2()}, "# service=git-upload-pack"},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, tt.opts...)
			require.NoError(t, server.Create(t.Context(), "group/name"))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL()+"/group/name.git/info/refs?service=git-upload-pack", nil)
			require.NoError(t, err)
			req.SetBasicAuth(auth.User, auth.Password)
			req.Header.Set("Git-Protocol", "version=2")
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer func() { _ = resp.Body.Close() }()
			var body bytes.Buffer
			_, err = body.ReadFrom(resp.Body)
			require.NoError(t, err)
			require.Contains(t, strings.SplitN(body.String(), "\n", 2)[0], tt.want)
		})
	}
}

func TestCommitStacksUp(t *testing.T) {
	server := start(t)
	require.NoError(t, server.Create(t.Context(), "group/name"))
	first, err := server.Commit(t.Context(), "group/name", "main", map[string]string{"a": "1", "dir/b": "2\n"}, "first")
	require.NoError(t, err)
	second, err := server.Commit(t.Context(), "group/name", "main", map[string]string{"a": "3"}, "second")
	require.NoError(t, err)

	log, err := server.Git(t.Context(), "group/name", "rev-list", "refs/heads/main")
	require.NoError(t, err)
	require.Equal(t, second+"\n"+first, log)
	files, err := server.Git(t.Context(), "group/name", "grep", "--no-color", "", second)
	require.NoError(t, err)
	require.Equal(t, second+":a:3\n"+second+":dir/b:2", files)
}

func TestGenerateMakesOnePackOfThatSize(t *testing.T) {
	server := start(t)
	const size, commits = 2 << 20, 50
	var shas [2]string
	for i, repo := range []string{"group/one", "group/two"} {
		require.NoError(t, server.Create(t.Context(), repo))
		var err error
		shas[i], err = server.Generate(t.Context(), repo, "main", gitserver.History{Bytes: size, Commits: commits})
		require.NoError(t, err)
	}
	require.Equal(t, shas[0], shas[1], "the same history twice")

	count, err := server.Git(t.Context(), "group/one", "rev-list", "--count", "main")
	require.NoError(t, err)
	require.Equal(t, "50", count)
	packs, err := filepath.Glob(filepath.Join(server.Dir("group/one"), "objects", "pack", "*.pack"))
	require.NoError(t, err)
	require.Len(t, packs, 1)
	info, err := os.Stat(packs[0])
	require.NoError(t, err)
	require.InEpsilon(t, size, info.Size(), 0.1)
}

func TestGenerateStops(t *testing.T) {
	server := start(t)
	require.NoError(t, server.Create(t.Context(), "group/name"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := server.Generate(ctx, "group/name", "main", gitserver.History{Bytes: 1 << 40, Commits: 10})
	require.ErrorIs(t, err, context.Canceled)
}

func TestCreateStaysBelowItsDirectory(t *testing.T) {
	require.Error(t, start(t).Create(t.Context(), "../elsewhere"))
}

// A client that dies in the middle of a push must not leave a server process behind.
func TestRequestThatIsCutOff(t *testing.T) {
	server := start(t)
	require.NoError(t, server.Create(t.Context(), "group/repo"))
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL(), "http://"))
	require.NoError(t, err)
	_, err = fmt.Fprintf(conn, "POST /group/repo.git/git-receive-pack HTTP/1.1\r\nHost: git\r\nAuthorization: Basic %s\r\n"+
		"Content-Type: application/x-git-receive-pack-request\r\nContent-Length: 1048576\r\n\r\n00",
		base64.StdEncoding.EncodeToString([]byte(auth.User+":"+auth.Password)))
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err, "the backend has ended")
	require.NoError(t, answer.Body.Close())
}

// Stock git pushes to a project that does not exist, in a group that does. Its first branch is the default one, and no
// other ref is.
func TestPushToCreate(t *testing.T) {
	for name, when := range map[string]gitserver.Creation{"as GitLab": gitserver.OnDiscovery, "as Gitea": gitserver.OnPush} {
		t.Run(name, func(t *testing.T) {
			server := start(t, gitserver.WithPushToCreate(when))
			require.NoError(t, server.Create(t.Context(), "group/source"))
			tip, err := server.Commit(t.Context(), "group/source", "main", map[string]string{"a": "1"}, "first")
			require.NoError(t, err)
			clone := filepath.Join(t.TempDir(), "clone")
			out, err := git(t, "", "clone", withLogin(server, "group/source"), clone)
			require.NoError(t, err, out)

			_, err = git(t, "", "ls-remote", withLogin(server, "group/new"))
			require.Error(t, err, "reading creates nothing")
			require.NoDirExists(t, server.Dir("group/new"))
			for _, ref := range []string{"refs/hidden/a", "refs/heads/stable", "refs/heads/main"} {
				out, err = git(t, clone, "push", withLogin(server, "group/new"), "main:"+ref)
				require.NoError(t, err, out)
			}
			head, err := server.Git(t.Context(), "group/new", "symbolic-ref", "HEAD")
			require.NoError(t, err)
			require.Equal(t, "refs/heads/stable", head)
			pushed, err := server.Git(t.Context(), "group/new", "rev-parse", "HEAD")
			require.NoError(t, err)
			require.Equal(t, tip, pushed)

			_, err = git(t, clone, "push", withLogin(server, "nobody/new"), "main:main")
			require.Error(t, err, "there is no such group")
		})
	}
}
