package webhook

import (
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

const (
	// maxConnections are served at a time; others wait to be accepted.
	maxConnections = 128
	// maxHeader is how many bytes of headers a request may have, besides 4 KiB that net/http adds.
	maxHeader = 16 << 10

	headerTimeout = 3 * time.Second
	// requestTimeout is for a whole request.
	requestTimeout = 5 * time.Second
	answerTimeout  = 15 * time.Second
	idleTimeout    = 30 * time.Second
)

// NewServer returns a server for the handler, which gives no sender more time or memory than a delivery needs.
func NewServer(h *Handler) *http.Server {
	return &http.Server{
		Handler: h, MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout,
		ErrorLog: log.New(io.Discard, "", 0), // senders could fill the worker's log
	}
}

// Limit bounds the connections that a listener accepts.
func Limit(l net.Listener) net.Listener { return netutil.LimitListener(l, maxConnections) }
