// Package faultproxy stands between a client and an HTTP server, and answers, alters, holds up or loses what a test wants.
package faultproxy

import (
	"bufio"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
)

// Fault is what happens to the requests that it is for.
type Fault struct {
	// Of tells whether a request is meant. It may wait for the beginning of the body (Begins). Nil means all.
	Of func(*http.Request) bool
	// Times is how many requests it happens to, after which the fault is over. 0 is without end.
	Times int
	// Before is called when the request has come; the server has not seen it.
	Before func(*http.Request)
	// Answer takes the place of the server's, which does not see the request. Nil passes the request on.
	Answer http.HandlerFunc
	// Alter changes the server's answer. When it fails, the client's connection is cut off.
	Alter func(*http.Response) error
}

// ErrLost is for Alter: the server has done what it was asked to, and nobody hears of it.
var ErrLost = errors.New("the answer is lost")

// LoseAnswer is an Alter.
func LoseAnswer(*http.Response) error { return ErrLost }

// Status is an Answer of that status, with the header's fields.
func Status(code int, header http.Header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// Active is a fault that happens until it is removed or its times are over.
type Active struct {
	Fault
	proxy *Proxy
	hits  int
	first chan struct{} // closed at the first hit
}

// Remove ends the fault.
func (a *Active) Remove() {
	a.proxy.mu.Lock()
	defer a.proxy.mu.Unlock()
	a.proxy.faults = slices.DeleteFunc(a.proxy.faults, func(other *Active) bool { return other == a })
}

// Struck is closed when it has happened to a request.
func (a *Active) Struck() <-chan struct{} { return a.first }

// Hits is to how many requests it has happened.
func (a *Active) Hits() int {
	a.proxy.mu.Lock()
	defer a.proxy.mu.Unlock()
	return a.hits
}

// Proxy is a running proxy. Its methods may be called concurrently.
type Proxy struct {
	listener net.Listener
	http     *http.Server
	upstream *url.URL
	relay    http.RoundTripper

	mu     sync.Mutex
	faults []*Active
}

// Start passes on to the server at the URL upstream whatever comes to a free port of 127.0.0.1.
func Start(upstream string) (_ *Proxy, err error) {
	p := &Proxy{relay: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}}
	if p.upstream, err = url.Parse(upstream); err != nil {
		return nil, err
	}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	p.http = &http.Server{Handler: p, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = p.http.Serve(p.listener) }() // returns once Close is called
	return p, nil
}

// URL is the proxy's, without a trailing slash.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// Close ends the proxy and all connections.
func (p *Proxy) Close() error { return p.http.Close() }

// Add has a fault happen from now on. Of several that are for a request, the one that was added first does.
func (p *Proxy) Add(f Fault) *Active {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := &Active{Fault: f, proxy: p, first: make(chan struct{})}
	p.faults = append(p.faults, a)
	return a
}

func (p *Proxy) faultOf(r *http.Request) *Active {
	p.mu.Lock()
	faults := slices.Clone(p.faults)
	p.mu.Unlock()
	for _, a := range faults {
		if (a.Of == nil || a.Of(r)) && a.hit() {
			return a
		}
	}
	return nil
}

// hit counts a request, unless the fault is over.
func (a *Active) hit() bool {
	a.proxy.mu.Lock()
	defer a.proxy.mu.Unlock()
	if !slices.Contains(a.proxy.faults, a) || a.Times > 0 && a.hits == a.Times {
		return false
	}
	if a.hits++; a.hits == 1 {
		close(a.first)
	}
	return true
}

// Begins tells whether a request's body begins so. It waits for as much of it.
func Begins(r *http.Request, with string) bool {
	body := bufio.NewReader(r.Body)
	r.Body = struct {
		io.Reader
		io.Closer
	}{body, r.Body}
	start, _ := body.Peek(len(with))
	return string(start) == with
}

// ServeHTTP keeps the Host field, which signatures are of.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var alter func(*http.Response) error
	if a := p.faultOf(r); a != nil {
		if a.Before != nil {
			a.Before(r)
		}
		if a.Answer != nil {
			a.Answer(w, r)
			return
		}
		alter = a.Alter
	}
	relay := &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(p.upstream)
			pr.Out.Host = pr.In.Host
		},
		Transport:      p.relay,
		FlushInterval:  -1,
		ModifyResponse: alter,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	relay.ServeHTTP(w, r)
}
