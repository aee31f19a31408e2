// Package s3server runs a versitygw S3 server on the loopback interface, for
// the demo and the tests: real signatures, checksums and bucket policies over
// a plain directory.
package s3server

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/app-sre/git-partition-sync/internal/child"
	"github.com/app-sre/git-partition-sync/internal/testserver/port"
)

// Region is the only region the server accepts in signatures.
const Region = "us-east-1"

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 5 * time.Second
)

// Credentials are one user's access key pair.
type Credentials struct {
	AccessKey string
	SecretKey string
}

// Options say what to run and where.
type Options struct {
	Binary string    // the versitygw executable
	Dir    string    // holds buckets, metadata and users; created when missing
	Log    io.Writer // the server's output, one line per request; nil discards it
}

// Server is a running S3 server.
type Server struct {
	Admin   // its root's credentials are new on every start
	process *child.Process
}

// Start runs the server until Stop is called, and returns once it answers
// requests. ctx bounds the start only.
func Start(ctx context.Context, opts Options) (*Server, error) {
	s, err := port.Try(func(address string) (*Server, error) { return startAt(ctx, opts, address) })
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", opts.Binary, err)
	}
	return s, nil
}

func startAt(ctx context.Context, opts Options, address string) (*Server, error) {
	// Another process can take the port between here and the child's bind. A
	// health path that nobody else serves makes that a failure to start
	// instead of a conversation with the wrong server.
	health := "/" + rand.Text()
	s := &Server{Admin: Admin{
		Endpoint: "http://" + address, Region: Region,
		Root: Credentials{AccessKey: "root", SecretKey: rand.Text()},
	}}
	cmd, err := s.command(opts, "--port", address, "--health", health)
	if err != nil {
		return nil, err
	}
	if s.process, err = child.StartServer(ctx, cmd, startTimeout, child.AnswersOK(s.Endpoint+health)); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) command(opts Options, args ...string) (*exec.Cmd, error) {
	// Absolute, because the server changes its working directory.
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, err
	}
	data, metadata, users := filepath.Join(dir, "data"), filepath.Join(dir, "metadata"), filepath.Join(dir, "users")
	for _, dir := range []string{data, metadata, users} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	args = append(args, "--region", Region, "--keep-alive", "--iam-dir", users,
		// Beside the data rather than in extended attributes, which not every
		// file system has.
		"posix", "--sidecar", metadata, data)
	cmd := exec.Command(opts.Binary, args...)
	cmd.Env = []string{"ROOT_ACCESS_KEY=" + s.Root.AccessKey, "ROOT_SECRET_KEY=" + s.Root.SecretKey}
	cmd.Stdout, cmd.Stderr = opts.Log, opts.Log
	return cmd, nil
}

// URL is the endpoint, without a trailing slash.
func (s *Server) URL() string { return s.Endpoint }

// PID is its process ID.
func (s *Server) PID() int { return s.process.PID() }

// Stop ends the server and waits until it is gone.
func (s *Server) Stop() { _ = s.process.Stop(stopTimeout) }
