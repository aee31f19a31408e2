package httpclient_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

func get(t *testing.T, client *http.Client, url string) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := httpclient.Do(client, req, httpclient.Limits{Idle: time.Minute})
	if err == nil {
		err = resp.Body.Close()
	}
	return err
}

// Each of them happens on the way to a server: none is an answer.
func TestWhyThereIsNoConnection(t *testing.T) {
	t.Parallel()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(plain.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	trusting := x509.NewCertPool()
	trusting.AddCert(secure.Certificate())

	for name, tt := range map[string]struct {
		url  string
		is   error
		want string
	}{
		"refused":         {closed.URL, httpclient.ErrRefused, "connection to " + closed.Listener.Addr().String() + " refused: nothing listens there"},
		"wrong host":      {strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), httpclient.ErrCertificate, "certificate is valid for"},
		"plain http":      {strings.Replace(plain.URL, "http:", "https:", 1), httpclient.ErrNoConnection, "speaks plain http where the URL says https"},
		"closed at once":  {plain.URL, httpclient.ErrNoConnection, "closed the connection without an answer"},
		"trusted after a": {secure.URL, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := get(t, httpclient.New(trusting), tt.url)
			if tt.is == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, tt.is)
			require.ErrorIs(t, err, httpclient.ErrNoConnection)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "http://", "the caller names the URL")
		})
	}
	err := get(t, httpclient.New(nil), secure.URL)
	require.ErrorIs(t, err, httpclient.ErrUntrusted)
	require.ErrorContains(t, err, "signed by an authority that is not trusted here")
}

func TestWordsForErrors(t *testing.T) {
	t.Parallel()
	dial := func(err error) error {
		return &url.Error{Op: "Get", URL: "https://host/?private_token=x", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
	}
	there := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}
	const closed = "the server closed the connection without an answer"
	for name, tt := range map[string]struct {
		err, is error
		want    string
	}{
		"unknown host": {dial(&net.DNSError{Err: "no such host", Name: "gitlab.exampel.com", IsNotFound: true}), httpclient.ErrUnknownHost, `unknown host "gitlab.exampel.com"`},
		"no answer from the name server": {dial(&net.DNSError{Err: "i/o timeout", Name: "gitlab.example.com", IsTimeout: true}), httpclient.ErrNoConnection,
			`cannot look up host "gitlab.example.com": i/o timeout`},
		"expired": {fmt.Errorf("tls: %w", x509.CertificateInvalidError{Reason: x509.Expired, Detail: "current time 2026 is after 2025"}), httpclient.ErrCertificate,
			"the server's certificate has expired or is not valid yet: current time 2026 is after 2025"},
		"not valid for another reason": {fmt.Errorf("tls: %w", x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}), httpclient.ErrCertificate,
			"the server's certificate is not valid: tls: x509: certificate is not authorized to sign other certificates"},
		"proxy is not there": {&net.OpError{Op: "proxyconnect", Net: "tcp", Err: &net.DNSError{Name: "proxy", IsNotFound: true}}, httpclient.ErrUnknownHost, `the proxy cannot be reached: unknown host "proxy"`},
		"nobody answers":     {&net.OpError{Op: "dial", Net: "tcp", Addr: there, Err: os.ErrDeadlineExceeded}, os.ErrDeadlineExceeded, "no connection to 192.0.2.1:443 within 15s"},
		"no way there":       {&net.OpError{Op: "dial", Net: "tcp", Addr: there, Err: syscall.ENETUNREACH}, syscall.ENETUNREACH, "dial tcp 192.0.2.1:443: network is unreachable"},
		"stopped":            {&net.OpError{Op: "read", Net: "tcp", Addr: there, Err: os.ErrDeadlineExceeded}, os.ErrDeadlineExceeded, "read tcp 192.0.2.1:443: i/o timeout"},
		"cut off":            {io.ErrUnexpectedEOF, io.ErrUnexpectedEOF, closed},
		"reset":              {syscall.ECONNRESET, syscall.ECONNRESET, closed},
		"broken pipe":        {syscall.EPIPE, syscall.EPIPE, closed},
	} {
		got := httpclient.DescribeError(tt.err)
		require.ErrorIs(t, got, tt.is, name)
		require.ErrorIs(t, got, httpclient.ErrNoConnection, name)
		require.EqualError(t, got, tt.want, name)
	}
	other := errors.New("redirected")
	require.Equal(t, other, httpclient.DescribeError(other))
	require.Equal(t, other, httpclient.DescribeError(&url.Error{Op: "Get", URL: "https://host/?private_token=x", Err: other}), "the URL may have secrets")
	ours := &net.OpError{Op: "write", Net: "tcp", Addr: there, Err: os.ErrClosed}
	require.Equal(t, error(ours), httpclient.DescribeError(ours), "a file of ours that was closed is no failure of the network")
}
