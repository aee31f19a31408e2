package httpclient

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
)

// Errors that a caller tells apart with errors.Is.
var (
	// ErrNoConnection is every failure in which no server answered the request. It may pass by itself.
	ErrNoConnection = errors.New("no connection")
	// ErrUnknownHost, ErrRefused, ErrUntrusted, ErrCertificate, ErrProxy and ErrClosed are such failures.
	ErrUnknownHost = errors.New("unknown host")
	ErrRefused     = errors.New("connection refused")
	ErrUntrusted   = errors.New("certificate of an unknown authority")
	ErrCertificate = errors.New("certificate is not valid")
	ErrProxy       = errors.New("refused by the proxy")
	ErrClosed      = errors.New("connection closed without an answer")
	// ErrProxyAuth says that a proxy wants credentials.
	ErrProxyAuth = errors.New("the proxy wants credentials")

	// ErrSilent says that the server accepted a connection and then stopped.
	ErrSilent = errors.New("silent server")

	// ErrRateLimited is an answer of 429: the server gets too many requests.
	ErrRateLimited = errors.New("too many requests")
	// ErrUnavailable is an answer of 502, 503 or 504, which may also come from a proxy.
	ErrUnavailable = errors.New("server unavailable")
)

// ProxyError is a proxy's refusal to connect to the server. It wraps ErrProxy, or ErrProxyAuth for 407.
type ProxyError struct {
	Proxy string // host and port
	Code  int    // HTTP status
}

func (e *ProxyError) Error() string {
	return fmt.Sprintf("the proxy %s refuses to connect: http status %d %s", e.Proxy, e.Code, http.StatusText(e.Code))
}

func (e *ProxyError) Unwrap() error {
	if e.Code == http.StatusProxyAuthRequired {
		return ErrProxyAuth
	}
	return ErrProxy
}

// connectionError describes an error of package net, or of one below it.
type connectionError struct {
	text string
	kind error // besides ErrNoConnection and what err is; nil for nothing
	err  error
}

func (e *connectionError) Error() string { return e.text }

func (e *connectionError) Unwrap() []error { return []error{ErrNoConnection, e.kind, e.err} }

// DescribeError says in words why a request got no answer. It takes an error of http.Client.Do. It leaves out the
// URL, which the caller knows, and into which a redirect may have put tokens.
func DescribeError(err error) error {
	if wrapper, ok := errors.AsType[*url.Error](err); ok {
		err = wrapper.Err
	}
	for _, describe := range []func(error) *connectionError{describeProxyRefusal, describeNameFailure, describeCertificateFailure, describeConnectionFailure} {
		if described := describe(err); described != nil {
			described.err = err
			if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
				described.text = "the proxy cannot be reached: " + described.text
			}
			return described
		}
	}
	return err
}

func describeProxyRefusal(err error) *connectionError {
	if refused, ok := errors.AsType[*ProxyError](err); ok {
		return &connectionError{text: refused.Error()}
	}
	return nil
}

func describeNameFailure(err error) *connectionError {
	dns, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return nil
	case dns.IsNotFound:
		return &connectionError{text: fmt.Sprintf("unknown host %q", dns.Name), kind: ErrUnknownHost}
	}
	return &connectionError{text: fmt.Sprintf("cannot look up host %q: %s", dns.Name, dns.Err)}
}

func describeCertificateFailure(err error) *connectionError {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, wrongHost := errors.AsType[x509.HostnameError](err)
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case unknown:
		return &connectionError{text: "the server's certificate is signed by an authority that is not trusted here", kind: ErrUntrusted}
	case isInvalid && invalid.Reason == x509.Expired:
		return &connectionError{text: "the server's certificate has expired or is not valid yet: " + invalid.Detail, kind: ErrCertificate}
	case isInvalid, wrongHost:
		return &connectionError{text: "the server's certificate is not valid: " + err.Error(), kind: ErrCertificate}
	case errors.Is(err, http.ErrSchemeMismatch):
		return &connectionError{text: "the server speaks plain http where the URL says https"}
	}
	return nil
}

func describeConnectionFailure(err error) *connectionError {
	where := ""
	op, isNetwork := errors.AsType[*net.OpError](err)
	if isNetwork && op.Addr != nil {
		where = " to " + op.Addr.String()
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &connectionError{text: fmt.Sprintf("connection%s refused: nothing listens there", where), kind: ErrRefused}
	case isNetwork && op.Op == "dial" && op.Timeout():
		return &connectionError{text: fmt.Sprintf("no connection%s within %s", where, connectTimeout)}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return &connectionError{text: "the server closed the connection without an answer", kind: ErrClosed}
	case isNetwork && !errors.Is(err, os.ErrClosed):
		return &connectionError{text: err.Error()}
	}
	return nil
}
