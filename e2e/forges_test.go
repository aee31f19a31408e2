package e2e_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/internal/testserver/giteaserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// Users of the forges.
const (
	developer = "developer" // a person
	mirror    = "mirror"    // the workers
)

// forge is a Gitea with Git LFS. Its users have the same password.
type forge struct {
	*giteaserver.Server
	password string
}

// forgePair are a source and a destination for all tests that need them, started by the first one. Projects of a test are in
// organizations of its name.
type forgePair struct {
	dir string

	mu      sync.Mutex
	forges  map[stack.Role]*forge
	started bool
}

var realForges forgePair

// take starts both at once: each needs a second.
func (p *forgePair) take(t testing.TB) map[stack.Role]*forge {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.started {
		found := findGitea(t)
		var group errgroup.Group
		forges := map[stack.Role]*forge{stack.Producer: {}, stack.Consumer: {}}
		for role, f := range forges {
			group.Go(func() (err error) {
				*f, err = startForge(found, filepath.Join(p.dir, "forge-of-"+string(role)))
				return err
			})
		}
		require.NoError(t, group.Wait())
		p.forges, p.started = forges, true
	}
	return p.forges
}

func (p *forgePair) close() {
	for _, f := range p.forges {
		f.Stop()
	}
}

// findGitea skips the test where Gitea and git-lfs cannot be.
func findGitea(t testing.TB) giteaserver.Options {
	t.Helper()
	if _, err := exec.LookPath("git-lfs"); err != nil {
		t.Skip("git-lfs is not installed")
	}
	found, err := giteaserver.Find("..")
	if _, noCompiler := exec.LookPath("gcc"); errors.Is(err, fs.ErrNotExist) && noCompiler != nil {
		t.Skip("Gitea is built where there is a C compiler")
	}
	require.NoError(t, err)
	return found
}

func startForge(o giteaserver.Options, dir string) (f forge, err error) {
	o.Dir = dir
	log, err := os.Create(dir + ".log")
	if err != nil {
		return f, err
	}
	defer func() { _ = log.Close() }()
	o.Log = log
	ctx := context.Background() // it outlives the test
	server, err := giteaserver.Start(ctx, o)
	if err != nil {
		return f, err
	}
	f = forge{server, rand.Text()}
	for _, user := range []string{developer, mirror} {
		err = errors.Join(err, f.AddUser(ctx, user, f.password))
	}
	return f, err
}

// environ has a worker use the forge.
func (f *forge) environ() []string {
	return []string{"GITLAB_BASE_URL=" + f.URL, "GITLAB_USERNAME=" + mirror, "GITLAB_TOKEN=" + f.password}
}

// create makes an empty project, in which the workers may do what they have to, and a developer all. Gitea has no groups
// in groups.
func (f *forge) create(t testing.TB, repo string) {
	t.Helper()
	project := branch(repo + "@main")
	require.NoError(t, f.AddProject(t.Context(), project, map[string]any{"name": project.Name, "private": true, "default_branch": "main"}))
	for _, user := range []string{developer, mirror} {
		require.NoError(t, f.AddCollaborator(t.Context(), project, user, "write"))
	}
}

// cloneURL has the developer's password in it.
func (f *forge) cloneURL(repo string) string {
	return strings.Replace(f.URL, "://", "://"+developer+":"+f.password+"@", 1) + "/" + repo + ".git"
}

// git runs a command in a repository on the forge's disk.
func (f *forge) git(t testing.TB, repo string, args ...string) string {
	t.Helper()
	return runGit(t, f.Dir(repo), t.TempDir(), args...)
}

// refs are a repository's branches and tags.
func (f *forge) refs(t testing.TB, repo string) string {
	t.Helper()
	return f.git(t, repo, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/", "refs/tags/")
}

func runGit(t testing.TB, dir, home string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "git %s: %s", strings.Join(args, " "), stderr.String())
	return strings.TrimSpace(string(out))
}
