package gitserver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Who makes the commits.
const committerName, committerEmail = "Demo", "demo@example.com"

// Git runs a git command in a repository and returns its trimmed output.
func (s *Server) Git(ctx context.Context, repo string, args ...string) (string, error) {
	return s.run(ctx, s.Dir(repo), nil, args...)
}

// Hook has git run a shell script as one of a repository's hooks (githooks(5)), in place of what was there.
func (s *Server) Hook(repo, name, script string) error {
	return WriteHook(filepath.Join(s.Dir(repo), "hooks", name), script)
}

// WriteHook makes a file of a shell script for git to run.
func WriteHook(path, script string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	// A program that this process starts meanwhile would have the file open, too, until it runs, and what is open for writing
	// cannot be run (go.dev/issue/22315).
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755)
}

func (s *Server) run(ctx context.Context, dir string, stdin io.Reader, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = dir, s.environ()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// environ keeps the machine's and the user's Git configuration out. Nothing here has to outlive the machine, nor is there
// anything to tidy up after each push, so that git neither waits for the disk nor starts a process for that.
func (s *Server) environ() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + s.dir,
		"LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_CONFIG_COUNT=2",
		"GIT_CONFIG_KEY_0=core.fsync", "GIT_CONFIG_VALUE_0=none",
		"GIT_CONFIG_KEY_1=receive.autoGC", "GIT_CONFIG_VALUE_1=false",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=" + committerName, "GIT_AUTHOR_EMAIL=" + committerEmail,
		"GIT_COMMITTER_NAME=" + committerName, "GIT_COMMITTER_EMAIL=" + committerEmail,
	}
}
