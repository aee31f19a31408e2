// Package giteaserver runs a Gitea on the loopback interface, for tests that need a whole forge: Git over HTTP, Git LFS,
// its rules and its API. It starts within about a second.
package giteaserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/child"
	"github.com/app-sre/git-partition-sync/internal/forge/gitea"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/port"
)

const startTimeout = time.Minute

// admin is the user whom Server.Admin acts as.
const admin = "provision"

// Options say what to run and where.
type Options struct {
	Binary string    // Gitea's executable
	Static string    // the folder of its source code, which has the texts that it reads at its start
	Dir    string    // holds all that it stores; created when missing
	Log    io.Writer // its errors; nil discards them
	// WithoutLFS switches Git LFS off, for all projects.
	WithoutLFS bool
}

// Server is a running Gitea. Its API is that of Admin, with all rights.
type Server struct {
	gitea.Admin
	dir     string
	process *child.Process
}

// Start runs a new Gitea, without users or projects, until Stop is called, and returns once it answers requests. ctx bounds the
// start only.
func Start(ctx context.Context, opts Options) (_ *Server, err error) {
	if opts.Dir, err = filepath.Abs(opts.Dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, err
	}
	s, err := port.Try(func(address string) (*Server, error) { return startAt(ctx, opts, address) })
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", opts.Binary, err)
	}
	return s, nil
}

func startAt(ctx context.Context, opts Options, address string) (s *Server, err error) {
	if err := writeSettings(opts, address); err != nil {
		return nil, err
	}
	s = &Server{Admin: gitea.Admin{URL: "http://" + address}, dir: opts.Dir}
	web := command(opts, "web")
	web.Stdout, web.Stderr = opts.Log, opts.Log
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if s.process, err = child.StartServer(ctx, web, startTimeout, child.AnswersOK(s.URL+"/api/healthz")); err != nil {
		return nil, err
	}
	if s.Token, err = addAdmin(ctx, opts); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// addAdmin creates the administrator and returns its token. It goes straight to the database, which has been set up by then: were
// it another server that answers at the port, there would be none.
func addAdmin(ctx context.Context, opts Options) (token string, err error) {
	create := command(opts, "admin", "user", "create", "--admin", "--username", admin, "--email", admin+"@localhost.localdomain", "--random-password",
		"--access-token", "--access-token-name", admin, "--access-token-scopes", "all")
	var words strings.Builder
	create.Stdout, create.Stderr = &words, &words
	process, err := child.Start(create)
	if err != nil {
		return "", err
	}
	select {
	case <-process.Exited():
		err = process.Err()
	case <-ctx.Done():
		process.Kill()
		err = context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("create an administrator: %w: %s", err, words.String())
	}
	_, token, found := strings.Cut(words.String(), "Access token was successfully created... ")
	if !found {
		return "", errors.New("create an administrator: Gitea has printed no token")
	}
	return strings.TrimSpace(token), nil
}

// command runs Gitea in an environment of its own: neither its settings nor those of Git are the user's.
func command(opts Options, args ...string) *exec.Cmd {
	cmd := exec.Command(opts.Binary, append(args, "--config", settingsFile(opts.Dir))...)
	cmd.Dir = opts.Dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + opts.Dir, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1"}
	return cmd
}

// Stop ends the server and waits until it is gone. What it has stored is not used again.
func (s *Server) Stop() { s.process.Kill() }

// Dir is where the repository ("group/name") lies on disk.
func (s *Server) Dir(repo string) string {
	return filepath.Join(s.dir, "data", "gitea-repositories", strings.ToLower(filepath.FromSlash(repo))+".git")
}

// LFSFile is where the content of an LFS object of any project lies, once it is there.
func (s *Server) LFSFile(oid string) string {
	return filepath.Join(s.dir, "data", "lfs", oid[:2], oid[2:4], oid[4:])
}

// Hook has each push to the repository run a shell script before its refs move, as GitLab's server hooks are.
func (s *Server) Hook(repo, script string) error {
	return gitserver.WriteHook(filepath.Join(s.Dir(repo), "hooks", "pre-receive.d", "test"), script)
}

// RefuseMissing lets a repository refuse, as GitLab does, what has pointers to LFS objects that the server does not have.
func (s *Server) RefuseMissing(repo string) error {
	return s.Hook(repo, gitserver.RefuseMissing(filepath.Join(s.dir, "data", "lfs")+`/$(echo "$oid" | cut -c1-2)/$(echo "$oid" | cut -c3-4)/$(echo "$oid" | cut -c5-)`))
}
