package giteaserver_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/giteaserver"
)

var assets = project.Branch{Group: "design", Name: "assets", Branch: "main"}

const password = "s3cret-enough"

func start(t *testing.T, withoutLFS bool) *giteaserver.Server {
	t.Helper()
	o, err := giteaserver.Find("../../..")
	if _, noCompiler := exec.LookPath("gcc"); errors.Is(err, fs.ErrNotExist) && noCompiler != nil {
		t.Skip("Gitea is built where there is a C compiler")
	}
	require.NoError(t, err)
	o.Dir, o.Log, o.WithoutLFS = t.TempDir(), t.Output(), withoutLFS
	begun := time.Now()
	s, err := giteaserver.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	t.Logf("started in %s", time.Since(begun))
	require.NoError(t, s.AddUser(t.Context(), "developer", password))
	require.NoError(t, s.AddProject(t.Context(), assets, map[string]any{"name": assets.Name, "private": true, "auto_init": true, "default_branch": assets.Branch}))
	require.NoError(t, s.AddCollaborator(t.Context(), assets, "developer", "write"))
	return s
}

// Stock git-lfs stores a file in it, and gets it back; a push that a hook refuses does not arrive.
func TestServer(t *testing.T) {
	if _, err := exec.LookPath("git-lfs"); err != nil {
		t.Skip("git-lfs is not installed")
	}
	t.Parallel()
	s := start(t, false)
	home, work := t.TempDir(), filepath.Join(t.TempDir(), "work")
	git := func(args ...string) error {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = home, t.Output(), t.Output()
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}
		return cmd.Run()
	}
	url := strings.Replace(s.URL, "://", "://developer:"+password+"@", 1) + "/" + assets.Path() + ".git"
	large := make([]byte, 1<<20)
	_, _ = rand.Read(large)
	sum := sha256.Sum256(large)

	for _, args := range [][]string{
		{"lfs", "install", "--skip-repo"}, {"config", "--global", "user.name", "a"}, {"config", "--global", "user.email", "a@example.com"},
		{"clone", "--quiet", url, work}, {"-C", work, "lfs", "track", "*.bin"},
	} {
		require.NoError(t, git(args...), args)
	}
	require.NoError(t, os.WriteFile(filepath.Join(work, "large.bin"), large, 0o600))
	for _, args := range [][]string{{"-C", work, "add", "."}, {"-C", work, "commit", "--quiet", "-m", "large"}, {"-C", work, "push", "--quiet"}} {
		require.NoError(t, git(args...), args)
	}
	stored, err := os.ReadFile(s.LFSFile(hex.EncodeToString(sum[:])))
	require.NoError(t, err)
	require.True(t, bytes.Equal(large, stored))
	require.NoError(t, git("clone", "--quiet", url, "again"))
	again, err := os.ReadFile(filepath.Join(home, "again", "large.bin"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(large, again))

	require.NoError(t, s.Hook(assets.Path(), "exit 1"))
	require.NoError(t, git("-C", work, "commit", "--quiet", "--allow-empty", "-m", "refused"))
	require.Error(t, git("-C", work, "push", "--quiet"))
}

func TestServerWithoutLFS(t *testing.T) {
	t.Parallel()
	s := start(t, true)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/"+assets.Path()+".git/info/lfs/objects/batch", strings.NewReader("{}"))
	require.NoError(t, err)
	req.SetBasicAuth("developer", password)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
}

// What the provisioning of compose asks for, a Gitea does: a file that the attributes say so of becomes an LFS object, and a push
// is delivered, signed.
func TestProvisioning(t *testing.T) {
	t.Parallel()
	s := start(t, false)
	const secret = "a-secret-of-many-characters"
	signed := make(chan bool, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m := hmac.New(sha256.New, []byte(secret))
		m.Write(body)
		signed <- r.Header.Get("X-Gitea-Event") == "push" && r.Header.Get("X-Gitea-Signature") == hex.EncodeToString(m.Sum(nil))
	}))
	t.Cleanup(receiver.Close)
	content := []byte("large, for the sake of the argument")
	for range 2 { // what is there stays
		require.NoError(t, s.AddSystemHook(t.Context(), receiver.URL+"/", secret))
		require.NoError(t, s.AddFile(t.Context(), assets, ".gitattributes", []byte("*.bin filter=lfs diff=lfs merge=lfs -text\n")))
		require.NoError(t, s.AddFile(t.Context(), assets, "a.bin", content))
	}
	sum := sha256.Sum256(content)
	stored, err := os.ReadFile(s.LFSFile(hex.EncodeToString(sum[:])))
	require.NoError(t, err)
	require.Equal(t, content, stored)
	for range 2 { // a commit each
		require.True(t, <-signed)
	}
	select {
	case <-signed:
		t.Fatal("a second hook, or a third commit")
	case <-time.After(time.Second):
	}
}
