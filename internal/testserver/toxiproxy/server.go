// Package toxiproxy runs a Toxiproxy on the loopback interface, which stands between clients and servers and treats their
// connections as a bad network does.
package toxiproxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"time"

	"github.com/Shopify/toxiproxy/v2/client"

	"github.com/app-sre/git-partition-sync/internal/child"
	"github.com/app-sre/git-partition-sync/internal/testserver/port"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 5 * time.Second
)

// Options say what to run.
type Options struct {
	Binary string    // the Toxiproxy executable
	Log    io.Writer // what it says; nil discards it
}

// Server is a running Toxiproxy.
type Server struct {
	process *child.Process
	client  *toxiproxy.Client
}

// Start runs a Toxiproxy until Stop is called, and returns once it answers requests. ctx bounds the start only.
func Start(ctx context.Context, opts Options) (*Server, error) {
	s, err := port.Try(func(address string) (*Server, error) { return startAt(ctx, opts, address) })
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", opts.Binary, err)
	}
	return s, nil
}

func startAt(ctx context.Context, opts Options, address string) (*Server, error) {
	host, number, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(opts.Binary, "-host", host, "-port", number)
	cmd.Env = []string{"LOG_LEVEL=warn"}
	cmd.Stdout, cmd.Stderr = opts.Log, opts.Log
	process, err := child.StartServer(ctx, cmd, startTimeout, child.AnswersOK("http://"+address+"/version"))
	if err != nil {
		return nil, err
	}
	return &Server{process, toxiproxy.NewClient(address)}, nil
}

// Stop ends it, and with it all connections.
func (s *Server) Stop() { _ = s.process.Stop(stopTimeout) }

// Proxy makes a way to the server at a URL without a path, such as http://127.0.0.1:80.
func (s *Server) Proxy(name, upstream string) (*Proxy, error) {
	listen, err := port.Free() // and not 0: it is listened at again after Refuse
	if err != nil {
		return nil, err
	}
	p, err := s.client.CreateProxy(name, listen, strings.TrimPrefix(upstream, "http://"))
	if err != nil {
		return nil, err
	}
	return &Proxy{proxy: p}, nil
}
