// Package httpclient is how Git servers and the GraphQL server are reached: no wait for them is without an
// end, and what keeps them from being reached is said in words.
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
	maxIdlePerHost  = 16 // connections kept for the next request

	// An HTTP/2 connection that has been still for pingAfter is asked whether it lives. Whether the
	// request on it gets an answer is another matter: see Limits.
	pingAfter   = 30 * time.Second
	pingTimeout = 15 * time.Second
)

// New returns a client that trusts roots; nil are the system's. It follows the proxy variables of
// the environment. It has no limit for whole requests, which may move a repository for hours: use
// Do, or set Timeout.
func New(roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{Timeout: connectTimeout}
	return &http.Client{Transport: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: CheckProxyAnswer,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    connectTimeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		IdleConnTimeout:        idleConnTimeout,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		ExpectContinueTimeout:  time.Second,
	}}
}

// CheckProxyAnswer is a transport's OnProxyConnectResponse. It says who it was: net/http gives the status line of a proxy's answer to CONNECT as it is.
func CheckProxyAnswer(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &ProxyError{Proxy: proxy.Host, Code: answer.StatusCode}
}
