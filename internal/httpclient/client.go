// Package httpclient connects to Git servers and the GraphQL server. Every wait has a limit, and errors say in words
// why a server was not reached.
package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	connectTimeout  = 15 * time.Second // for TCP, and once more for TLS
	idleConnTimeout = 90 * time.Second

	// MaxIdlePerHost is how many connections to a server are kept for the next requests: what the steps and a plan of one worker use at a
	// time, also with a larger MAX_CONCURRENT. Each that is not kept costs the next request a handshake.
	MaxIdlePerHost = 64

	// An HTTP/2 connection that has been still for pingAfter gets a ping, and is closed 15 seconds later without an answer
	// to that. It says nothing about the answer to a request on it: see Limits.
	pingAfter = 30 * time.Second
)

// New returns a client that trusts roots; nil means the system's. It follows the proxy variables of the environment.
// Whole requests have no limit, because they may move a repository for hours: use Do, or set Timeout.
func New(roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{Timeout: connectTimeout}
	return &http.Client{Transport: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: CheckProxyAnswer,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    connectTimeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter},
		IdleConnTimeout:        idleConnTimeout,
		MaxIdleConnsPerHost:    MaxIdlePerHost,
	}}
}

// CheckProxyAnswer is for Transport.OnProxyConnectResponse. It returns a *ProxyError, where net/http would return
// nothing but the status line of the proxy's answer to CONNECT.
func CheckProxyAnswer(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &ProxyError{Proxy: proxy.Host, Code: answer.StatusCode}
}
