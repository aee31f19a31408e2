package service

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/config"
)

// piped is a listener that one client has come to.
type piped struct {
	server net.Conn
	done   chan struct{}
	came   bool
}

func (p *piped) Accept() (net.Conn, error) {
	if !p.came {
		p.came = true
		return p.server, nil
	}
	<-p.done
	return nil, net.ErrClosed
}
func (p *piped) Close() error   { close(p.done); return nil }
func (p *piped) Addr() net.Addr { return p.server.LocalAddr() }

// Whoever opens a connection and falls silent, at whatever point, is left after a while.
func TestSilentClients(t *testing.T) {
	large := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 1<<20)) })
	for what, tt := range map[string]struct {
		says  string
		reads bool
		after time.Duration
	}{
		"says nothing":          {"", false, checkTimeout},
		"half a question":       {"GET /metrics HT", true, checkTimeout},
		"half a body":           {"POST /livez HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n", true, checkTimeout},
		"does not read":         {"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", false, answerTimeout},
		"asks for nothing more": {"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n", true, idleTimeout},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, conn := net.Pipe()
				server := (&health{metrics: large}).server(config.Endpoint{Variable: "METRICS_ADDRESS"})
				closed := make(chan struct{})
				server.ConnState = func(_ net.Conn, s http.ConnState) {
					if s == http.StateClosed {
						close(closed)
					}
				}
				go server.Serve(&piped{server: conn, done: make(chan struct{})})
				began := time.Now()
				if tt.says != "" {
					_, err := io.WriteString(client, tt.says)
					require.NoError(t, err)
				}
				if tt.reads {
					go io.Copy(io.Discard, client) // until the server has enough
				}
				<-closed
				assert.LessOrEqual(t, time.Since(began), tt.after+time.Second)
				require.NoError(t, server.Close())
			})
		})
	}
}

// blocking is a collector that waits until it may go on.
type blocking struct{ begun, goOn chan struct{} }

func (blocking) Describe(chan<- *prometheus.Desc) {}
func (b blocking) Collect(chan<- prometheus.Metric) {
	b.begun <- struct{}{}
	<-b.goOn
}

// However many read the metrics, some are answered at a time. Probes are always.
func TestManyScrapes(t *testing.T) {
	m, err := newMetrics("consumer", "")
	require.NoError(t, err)
	b := blocking{make(chan struct{}), make(chan struct{})}
	m.registry.MustRegister(b)
	h := &health{metrics: m.page}
	ask := func(path string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return w.Code
	}
	answers := make(chan int)
	for range maxScrapes {
		go func() { answers <- ask("/metrics") }()
		<-b.begun
	}
	require.Equal(t, http.StatusServiceUnavailable, ask("/metrics"))
	require.Equal(t, http.StatusOK, ask("/livez"))
	close(b.goOn)
	for range maxScrapes {
		require.Equal(t, http.StatusOK, <-answers)
	}
}
