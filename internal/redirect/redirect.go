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

// Max is how many redirects in a row are followed.
const Max = 5

// ErrRefused says that a redirect was not followed.
var ErrRefused = errors.New("redirected")

// Within returns the policy as an http.Client takes it: the same scheme, host and port, the same method,
// and not more than Max. What a server names as the target is masked.
func Within(mask *foreign.Mask) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		from := via[0]
		switch {
		case !SameServer(req.URL, from.URL):
			target := mask.Line(req.URL.Scheme+"://"+req.URL.Host, 100)
			return fmt.Errorf("%w to another server %q: refusing to send credentials there", ErrRefused, target)
		case req.Method != from.Method:
			return fmt.Errorf("%w: a %s would become a %s", ErrRefused, from.Method, req.Method)
		case len(via) > Max:
			return fmt.Errorf("%w more than %d times", ErrRefused, Max)
		}
		return nil
	}
}

// SameServer tells whether two URLs have the same scheme, host and port. A port that is not given is
// the scheme's own.
func SameServer(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if given := u.Port(); given != "" {
		return given
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}
