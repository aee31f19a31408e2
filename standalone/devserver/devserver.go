// Package devserver runs Temporal's development server: a whole Temporal in one process, which keeps everything in one
// SQLite file or in memory.
package devserver

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/app-sre/git-partition-sync/internal/child"
)

const (
	startTimeout = time.Minute
	stopTimeout  = 10 * time.Second
)

// Options say what to run and where.
type Options struct {
	Program    string    // the Temporal CLI
	Address    string    // of the gRPC service: IP and port
	UI         string    // of the web UI: IP and port; empty for no UI
	Database   string    // file of the database, made when it does not exist; empty keeps everything in memory
	Namespaces []string  // made when they do not exist
	Environ    []string  // of the server: it needs no secrets
	Log        io.Writer // of what the server says until it is told to end
	Level      string    // of what is logged, such as warn; empty for the server's default
}

// Server is a running development server.
type Server struct {
	*child.Process
	// Clients are those of the namespaces, by name.
	Clients map[string]client.Client

	log *untilClosed
}

// untilClosed passes on what is written to it until it is closed. It never fails: a server whose log breaks off would end.
type untilClosed struct {
	mu sync.Mutex
	to io.Writer // nil when it is closed
}

func (u *untilClosed) Write(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.to != nil {
		_, _ = u.to.Write(p)
	}
	return len(p), nil
}

func (u *untilClosed) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.to = nil
}

// Start runs a server, and returns when it serves all namespaces.
func Start(ctx context.Context, o Options) (_ *Server, err error) {
	args, err := o.args()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(o.Program, args...) //nolint:gosec // the program that was asked for
	log := &untilClosed{to: o.Log}
	cmd.Env, cmd.Stdout, cmd.Stderr = o.Environ, log, log
	process, err := child.Start(cmd)
	if err != nil {
		return nil, err
	}
	s := &Server{Process: process, Clients: map[string]client.Client{}, log: log}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	return s, s.awaitReady(ctx, o)
}

// args are the server's command line.
func (o Options) args() ([]string, error) {
	host, port, err := net.SplitHostPort(o.Address)
	if err != nil {
		return nil, err
	}
	args := []string{
		"server", "start-dev", "--ip", host, "--port", port,
		// A development server has one shard, where a cluster has hundreds, and hands out 20 tasks a second for each.
		"--dynamic-config-value", "history.transferProcessorMaxPollRPS=1000",
	}
	if o.UI == "" {
		args = append(args, "--headless")
	} else {
		host, port, err := net.SplitHostPort(o.UI)
		if err != nil {
			return nil, err
		}
		args = append(args, "--ui-ip", host, "--ui-port", port)
	}
	if o.Database != "" {
		args = append(args, "--db-filename", o.Database)
	}
	if o.Level != "" {
		args = append(args, "--log-level", o.Level)
	}
	for _, name := range o.Namespaces {
		args = append(args, "--namespace", name)
	}
	return args, nil
}

// awaitReady first waits for the port: gRPC would pause between its attempts.
func (s *Server) awaitReady(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err := s.Await(ctx, func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", o.Address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		return err
	}
	for _, name := range o.Namespaces {
		if err := s.awaitNamespace(ctx, o.Address, name); err != nil {
			return fmt.Errorf("namespace %q: %w", name, err)
		}
	}
	return nil
}

func (s *Server) awaitNamespace(ctx context.Context, address, name string) error {
	c, err := client.NewLazyClient(client.Options{
		HostPort:  address,
		Namespace: name,
		Logger:    log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return err
	}
	s.Clients[name] = c
	return s.Await(ctx, func(ctx context.Context) error {
		_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: name})
		return err
	})
}

// Close ends the server. How it ended says nothing once it was told to, nor do the errors that it then finds in itself.
func (s *Server) Close() {
	s.log.close()
	for _, c := range s.Clients {
		c.Close()
	}
	_ = s.Stop(stopTimeout)
}
