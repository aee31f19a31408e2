package httpclient_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// Older versions of TLS can be broken by whoever is in between.
func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	for version, taken := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.TLS = &tls.Config{MinVersion: version, MaxVersion: version}
		server.StartTLS()
		t.Cleanup(server.Close)
		trusting := x509.NewCertPool()
		trusting.AddCert(server.Certificate())
		err := get(t, httpclient.New(trusting), server.URL)
		if taken {
			require.NoError(t, err, tls.VersionName(version))
		} else {
			require.ErrorContains(t, err, "protocol version", tls.VersionName(version))
		}
	}
}

func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]error{http.StatusForbidden: httpclient.ErrProxy, http.StatusProxyAuthRequired: httpclient.ErrProxyAuth} {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		t.Cleanup(proxy.Close)
		proxyURL, err := url.Parse(proxy.URL)
		require.NoError(t, err)
		client := httpclient.New(nil)
		client.Transport.(*http.Transport).Proxy = http.ProxyURL(proxyURL)
		err = get(t, client, "https://gitlab.example.com")
		require.ErrorIs(t, err, want)
		require.ErrorIs(t, err, httpclient.ErrNoConnection)
		require.EqualError(t, err, fmt.Sprintf("the proxy %s refuses to connect: http status %d %s", proxyURL.Host, code, http.StatusText(code)))
	}
}

// The variables are read once in the life of a process, so that it is another one that has them.
func TestProxyOfTheEnvironment(t *testing.T) {
	const askThrough = "ASK_THROUGH_PROXY"
	client := httpclient.New(nil)
	if os.Getenv(askThrough) != "" {
		fmt.Println(get(t, client, "https://gitlab.example.com"))
		return
	}
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(proxy.Close)
	asks := exec.Command(os.Args[0], "-test.run=^TestProxyOfTheEnvironment$")
	asks.Env = append(os.Environ(), askThrough+"=yes", "HTTPS_PROXY="+proxy.URL, "NO_PROXY=none")
	out, err := asks.Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "the proxy "+proxy.Listener.Addr().String()+" refuses to connect")
}

func TestProxyConnects(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		there, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", r.Host)
		if err != nil {
			return
		}
		defer there.Close()
		w.WriteHeader(http.StatusOK)
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer here.Close()
		go func() { _, _ = io.Copy(there, here) }()
		_, _ = io.Copy(here, there)
	}))
	t.Cleanup(proxy.Close)
	proxyURL, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	trusting := x509.NewCertPool()
	trusting.AddCert(server.Certificate())
	client := httpclient.New(trusting)
	client.Transport.(*http.Transport).Proxy = http.ProxyURL(proxyURL)
	require.NoError(t, get(t, client, server.URL))
	client.CloseIdleConnections()
}

// piped is a listener for the connections that a client makes to it.
type piped chan net.Conn

func (p piped) Accept() (net.Conn, error) {
	conn, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (p piped) Close() error   { return nil }
func (p piped) Addr() net.Addr { return &net.UnixAddr{Name: "piped"} }

// mutable is a connection whose other side hears nothing more once it is mute.
type mutable struct {
	net.Conn
	mute *atomic.Bool
}

func (m mutable) Write(b []byte) (int, error) {
	if m.mute.Load() {
		return len(b), nil
	}
	return m.Conn.Write(b)
}

// Connections that are of no use are given up, and not kept for ever.
func TestConnectionsThatAreGivenUp(t *testing.T) {
	secure := httptest.NewTLSServer(nil)
	secure.Close()
	trusting := x509.NewCertPool()
	trusting.AddCert(secure.Certificate())
	for name, tt := range map[string]struct {
		protocols []string // that the server speaks; none is one that says nothing
		mute      bool     // it becomes so with the first request
		after     time.Duration
	}{
		"no handshake":      {nil, true, 15 * time.Second},
		"not used any more": {[]string{"http/1.1"}, false, 90 * time.Second},
		"dead":              {[]string{"h2"}, true, 45 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			var mute atomic.Bool
			mute.Store(len(tt.protocols) == 0)
			listener, closed := make(piped, 1), make(chan time.Duration, 1)
			server := &http.Server{
				TLSConfig: &tls.Config{Certificates: secure.TLS.Certificates, NextProtos: tt.protocols},
				ErrorLog:  log.New(io.Discard, "", 0),
				Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if mute.Store(tt.mute); tt.mute {
						<-r.Context().Done()
					}
				}),
				ConnState: func(_ net.Conn, state http.ConnState) {
					if state == http.StateClosed {
						closed <- time.Since(begun)
					}
				},
			}
			go func() { _ = server.ServeTLS(listener, "", "") }()
			client := httpclient.New(trusting)
			client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
				here, there := net.Pipe()
				listener <- mutable{there, &mute}
				return here, nil
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com", nil)
			require.NoError(t, err)
			resp, err := httpclient.Do(client, req, httpclient.Limits{Idle: time.Hour})
			require.Equal(t, tt.mute, err != nil, "%s: %v", name, err)
			if err == nil {
				require.NoError(t, resp.Body.Close())
			}
			require.Equal(t, tt.after, <-closed, name)
			close(listener)
			require.NoError(t, server.Close())
		})
	}
}
