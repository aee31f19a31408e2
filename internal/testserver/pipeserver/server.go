// Package pipeserver serves HTTP over pipes in memory, with the net/http of both sides: on the fake clock of
// testing/synctest a test waits for minutes of silence in no time, and no load of the machine makes them longer.
package pipeserver

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"testing"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// URL is where the client of Start reaches its server.
const URL = "http://server.invalid"

// Start serves until the test ends, and returns the only client that reaches it: httpclient's, whatever the host.
func Start(t testing.TB, handler http.Handler) *http.Client {
	t.Helper()
	p := &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.Serve(p) }() // returns once Close is called
	client := httpclient.New(nil)
	transport := client.Transport.(*http.Transport)
	transport.Proxy, transport.DialContext = nil, p.dial
	t.Cleanup(func() {
		_ = server.Close()
		transport.CloseIdleConnections()
	})
	return client
}

// pipes is a listener for connections within this process.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.accepted <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepted:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
