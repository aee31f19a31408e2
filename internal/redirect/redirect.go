// Package redirect decides which redirects a client with credentials may follow: those that stay on the server that
// was asked. Go's own client would send the credentials also to a subdomain, another port, and over plain HTTP.
package redirect

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// MaxRedirects is how many redirects in a row are followed.
const MaxRedirects = 5

// ErrRefused says that a redirect was not followed.
var ErrRefused = errors.New("redirected")

// SameServerOnly returns the policy for http.Client.CheckRedirect. It follows at most MaxRedirects redirects to the
// same scheme, host and port, or from http to https, that keep the method. The credentials in the header go along.
// The mask hides secrets in the target that an error names.
func SameServerOnly(mask *foreign.Mask) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		from, last := via[0], via[len(via)-1]
		switch {
		case !Stays(last.URL, req.URL):
			target := mask.Line(req.URL.Scheme+"://"+req.URL.Host, 100)
			return fmt.Errorf("%w to another server %q: refusing to send credentials there", ErrRefused, target)
		case req.Method != from.Method:
			return fmt.Errorf("%w: a %s would become a %s", ErrRefused, from.Method, req.Method)
		case len(via) > MaxRedirects:
			return fmt.Errorf("%w more than %d times", ErrRefused, MaxRedirects)
		}
		// net/http drops the credentials when only the spelling of the host differs.
		if credentials, sent := from.Header["Authorization"]; sent {
			req.Header["Authorization"] = credentials
		}
		return nil
	}
}

// SameServer tells whether two URLs have the same scheme, host and port. A missing port is the scheme's default.
func SameServer(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && effectivePort(a) == effectivePort(b)
}

// Stays tells whether credentials for the one URL may go to the other: to the same server, or from http to https.
func Stays(from, to *url.URL) bool { return SameServer(from, to) || isUpgradeToHTTPS(from, to) }

// isUpgradeToHTTPS tells whether a redirect goes from http to https on the same host, both at their default ports.
// There may be another server at any other port.
func isUpgradeToHTTPS(from, to *url.URL) bool {
	return from.Scheme == "http" && to.Scheme == "https" && effectivePort(from) == "80" && effectivePort(to) == "443" &&
		strings.EqualFold(from.Hostname(), to.Hostname())
}

func effectivePort(u *url.URL) string {
	return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}
