package stack

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// GitServer is a running Git server and the credentials that it asks for.
type GitServer struct {
	*gitserver.Server
	Credentials gitserver.Credentials
}

func (s *Stack) startGitServer(role Role, name string) (*GitServer, error) {
	user := name + "-bot"
	credentials := gitserver.Credentials{User: user, Password: rand.Text()}
	account := gitserver.Account{Name: user, Token: credentials.Password, Scopes: []string{"api"}, Owns: []string{"mirror"}}
	options := []gitserver.Option{gitserver.WithPushToCreate(gitserver.OnDiscovery), gitserver.WithGroupsAPI(account)}
	if s.options.LFS {
		options = append(options, gitserver.WithLFS())
	}
	if wrap := s.options.GitMiddleware; wrap != nil {
		options = append(options, gitserver.WithMiddleware(func(h http.Handler) http.Handler { return wrap(role, h) }))
	}
	server, err := gitserver.Start(filepath.Join(s.options.Dir, name), credentials, options...)
	if err != nil {
		return nil, err
	}
	return &GitServer{server, credentials}, nil
}

// CloneURL is the repository's URL with the credentials in it, for a person to paste.
func (g *GitServer) CloneURL(repo string) string {
	login := g.Credentials.User + ":" + g.Credentials.Password + "@"
	return strings.Replace(g.URL(), "://", "://"+login, 1) + "/" + repo + ".git"
}

// Heads asks for a repository's branches and tags as a user would, with "git ls-remote", and returns what they point
// to by their canonical names.
func (g *GitServer) Heads(ctx context.Context, repo string) (map[string]string, error) {
	login := base64.StdEncoding.EncodeToString([]byte(g.Credentials.User + ":" + g.Credentials.Password))
	cmd := exec.CommandContext(ctx, "git", "ls-remote", "--heads", "--tags", "--refs", g.URL()+"/"+repo+".git")
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "GIT_TERMINAL_PROMPT=0",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.extraHeader", "GIT_CONFIG_VALUE_0=Authorization: Basic " + login,
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-remote %s: %w: %s", repo, err, strings.TrimSpace(stderr.String()))
	}
	heads := map[string]string{}
	for line := range strings.Lines(string(out)) {
		commit, ref, _ := strings.Cut(strings.TrimSpace(line), "\t")
		heads[project.CanonicalBranch(ref)] = commit
	}
	return heads, nil
}
