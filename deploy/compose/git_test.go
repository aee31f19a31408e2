package compose_test

import (
	"encoding/base64"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// Killed servers come back with health checks and back-off: minutes, on a busy machine.
const (
	syncTimeout  = 5 * time.Minute
	pollInterval = time.Second
)

// workTree is a developer's clone of a branch.
type workTree struct {
	dir    string
	branch project.Branch
}

func (s *stack) clone(port string, b project.Branch) workTree {
	s.Helper()
	w := workTree{dir: s.TempDir(), branch: b}
	_, err := s.git("clone", "--quiet", "--branch", b.Branch, s.url(port, b), w.dir)
	require.NoError(s, err)
	return w
}

// push makes a commit and pushes it. The forge may just be starting.
func (s *stack) push(w workTree, message string) {
	s.Helper()
	_, err := s.git("-C", w.dir, "commit", "--quiet", "--allow-empty", "--message", message)
	require.NoError(s, err)
	require.Eventually(s, func() bool {
		_, err := s.git("-C", w.dir, "push", "--quiet", "origin", w.branch.Branch)
		return err == nil
	}, syncTimeout, pollInterval)
}

// awaitInSync waits until the destination has what the source has.
func (s *stack) awaitInSync(sync project.Sync) {
	s.Helper()
	started := time.Now()
	var source, destination string
	require.Eventually(s, func() bool {
		source = s.head("SOURCE_FORGE_PORT", sync.Source)
		destination = s.head("DESTINATION_FORGE_PORT", sync.Destination)
		return source != "" && source == destination
	}, syncTimeout, pollInterval, "%s", sync)
	s.Logf("%s at %.8s after %s", sync, destination, time.Since(started).Round(time.Second))
}

// head is a branch's commit, or nothing while the forge or the branch is not there.
func (s *stack) head(port string, b project.Branch) string {
	out, err := s.git("ls-remote", s.url(port, b), b.Ref())
	if err != nil {
		return ""
	}
	commit, _, _ := strings.Cut(out, "\t")
	return commit
}

func (s *stack) url(port string, b project.Branch) string {
	return "http://127.0.0.1:" + s.ports[port] + "/" + b.Path() + ".git"
}

// git is the developer's, with nobody's configuration. The password is in neither arguments nor URLs.
func (s *stack) git(args ...string) (string, error) {
	credentials := base64.StdEncoding.EncodeToString([]byte("developer:" + s.password))
	cmd := exec.Command("git", args...)
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_CONFIG_COUNT=3", "GIT_CONFIG_KEY_0=http.extraHeader", "GIT_CONFIG_VALUE_0=Authorization: Basic "+credentials,
		// As "git lfs install" has it.
		"GIT_CONFIG_KEY_1=filter.lfs.process", "GIT_CONFIG_VALUE_1=git-lfs filter-process",
		"GIT_CONFIG_KEY_2=filter.lfs.required", "GIT_CONFIG_VALUE_2=true",
		"GIT_AUTHOR_NAME=Developer", "GIT_AUTHOR_EMAIL=developer@localhost.localdomain",
		"GIT_COMMITTER_NAME=Developer", "GIT_COMMITTER_EMAIL=developer@localhost.localdomain")
	out, err := cmd.Output()
	return string(out), err
}
