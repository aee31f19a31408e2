// Package redirect says which redirects are followed by those who send credentials: such as stay with
// the server that was asked. Go's own client would keep the credentials for a subdomain, another
// port and plain HTTP.
package redirect

import (
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

// SameServerOnly returns the policy as an http.Client takes it: the same scheme, host and port, or https in place
// of http; the same method, and not more than Max. Credentials in the header go
// along. What a server names as the target is masked.
func SameServerOnly(mask *foreign.Mask) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		from, last := via[0], via[len(via)-1]
		switch {
		case !SameServer(req.URL, last.URL) && !isUpgradeToHTTPS(last.URL, req.URL):
			target := mask.Line(req.URL.Scheme+"://"+req.URL.Host, 100)
			return fmt.Errorf("%w to another server %q: refusing to send credentials there", ErrRefused, target)
		case req.Method != from.Method:
			return fmt.Errorf("%w: a %s would become a %s", ErrRefused, from.Method, req.Method)
		case len(via) > MaxRedirects:
			return fmt.Errorf("%w more than %d times", ErrRefused, MaxRedirects)
		}
		// net/http takes another spelling of the host for another host, and leaves them out.
		if credentials, sent := from.Header["Authorization"]; sent {
			req.Header["Authorization"] = credentials
		}
		return nil
	}
}

// SameServer tells whether two URLs have the same scheme, host and port. A port that is not given is
// the scheme's own.
func SameServer(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && effectivePort(a) == effectivePort(b)
}

// isUpgradeToHTTPS tells whether a redirect only goes from a host's http to its https, at the schemes' own ports. At
// others there may be other servers.
func isUpgradeToHTTPS(from, to *url.URL) bool {
	return from.Scheme == "http" && to.Scheme == "https" && effectivePort(from) == "80" && effectivePort(to) == "443" &&
		strings.EqualFold(from.Hostname(), to.Hostname())
}

func effectivePort(u *url.URL) string {
	if given := u.Port(); given != "" {
		return given
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}
