package bundle_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/object"
)

// repo is a real repository, kept apart from the machine's git configuration.
type repo struct {
	t   *testing.T
	dir string
}

func newRepo(t *testing.T, branch string) repo {
	r := repo{t, t.TempDir()}
	r.git("init", "--quiet", "--initial-branch", branch)
	return r
}

func (r repo) command(stdin string, args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	}
	cmd.Stdin = strings.NewReader(stdin)
	return cmd
}

func (r repo) git(args ...string) string {
	r.t.Helper()
	cmd := r.command("", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(r.t, err, "git %s: %s", args, &stderr)
	return strings.TrimSuffix(string(out), "\n")
}

func (r repo) commit(content string) string {
	r.t.Helper()
	require.NoError(r.t, os.WriteFile(filepath.Join(r.dir, "file"), []byte(content), 0o600))
	r.git("add", "file")
	r.git("commit", "--quiet", "--message", content)
	return r.git("rev-parse", "HEAD")
}

// bundle writes what the producer writes: our header, and a pack that is thin
// when there is a base.
func (r repo) bundle(h object.ID) string {
	r.t.Helper()
	header, err := bundle.EncodeHeader(h)
	require.NoError(r.t, err)
	revs := h.Commit + "\n"
	if h.Base != "" {
		revs += "^" + h.Base + "\n"
	}
	pack, err := r.command(revs, "pack-objects", "--revs", "--thin", "--stdout", "--quiet").Output()
	require.NoError(r.t, err)
	path := filepath.Join(r.t.TempDir(), "repository.bundle")
	require.NoError(r.t, os.WriteFile(path, append(header, pack...), 0o600))
	return path
}

func TestGitClonesOurBundle(t *testing.T) {
	for _, branch := range []string{"main", "master", "release/größe"} {
		t.Run(branch, func(t *testing.T) {
			source := newRepo(t, branch)
			tip := source.commit("one")
			path := source.bundle(id(branch, tip, ""))
			source.git("bundle", "verify", "--quiet", path)

			clone := repo{t, t.TempDir()}
			clone.git("clone", "--quiet", path, ".")
			require.Equal(t, branch, clone.git("symbolic-ref", "--short", "HEAD"))
			require.Equal(t, tip, clone.git("rev-parse", "HEAD"))
			content, err := os.ReadFile(filepath.Join(clone.dir, "file"))
			require.NoError(t, err)
			require.Equal(t, "one", string(content))
		})
	}
}

func TestGitFetchesOurIncrement(t *testing.T) {
	text := strings.Repeat("a line that makes the second version a delta\n", 100)
	source := newRepo(t, "trunk")
	base := source.commit(text)
	snapshot := source.bundle(id("trunk", base, ""))
	tip := source.commit(text + "more")
	increment := source.bundle(id("trunk", tip, base))

	clone := repo{t, t.TempDir()}
	clone.git("clone", "--quiet", snapshot, ".")
	clone.git("bundle", "verify", "--quiet", increment)
	clone.git("pull", "--quiet", "--ff-only", increment, "trunk")
	require.Equal(t, tip, clone.git("rev-parse", "HEAD"))
	clone.git("fsck", "--strict")
}

func TestReadHeaderReadsGitsBundles(t *testing.T) {
	source := newRepo(t, "main")
	base := source.commit("one")
	tip := source.commit("two")

	tests := map[string]struct {
		revs []string
		want object.ID
	}{
		"complete":  {[]string{"HEAD", "main"}, id("main", tip, "")},
		"branch":    {[]string{"main"}, id("main", tip, "")},
		"increment": {[]string{base + "..main"}, id("main", tip, base)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "git.bundle")
			source.git(append([]string{"bundle", "create", "--quiet", "--version=2", path}, test.revs...)...)
			content, err := os.ReadFile(path)
			require.NoError(t, err)

			r := bufio.NewReader(bytes.NewReader(content))
			h, size, err := bundle.ReadHeader(r, router)
			require.NoError(t, err)
			require.Equal(t, test.want, h)
			pack, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, content[size:], pack)
			require.Equal(t, "PACK", string(pack[:4]))
		})
	}
}
