package lfsapi

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/redirect"
)

// maxLinkLength bounds a link in bytes. Signed ones take some 2,000.
const maxLinkLength = 8 << 10

// link is an address that the server has given for one object, with what it wants to be sent there.
type link struct {
	url     *url.URL
	git     *url.URL // the Git server that gave it
	header  http.Header
	chunked bool      // an upload has to be sent in chunks
	login   bool      // our credentials go along
	expires time.Time // zero: it does not say
}

// newLink applies the rules of docs/lfs.md to an action of an object. It is nil if there is no such action.
func (c *Client) newLink(from batch, answer objectAnswer, name string) (*link, error) {
	action := answer.Actions[name]
	if action == nil {
		return nil, nil
	}
	if len(action.Href) > maxLinkLength {
		return nil, fmt.Errorf("%w: it takes %d bytes", ErrUnsafeLink, len(action.Href))
	}
	target, err := url.Parse(action.Href)
	if err != nil { // it quotes the link
		return nil, fmt.Errorf("%w: it is no URL", ErrUnsafeLink)
	}
	if err := c.checkTarget(from.server, target); err != nil {
		return nil, err
	}
	l := &link{url: target, git: from.server, expires: action.expiry(from.answered)}
	if l.header, l.chunked, err = headerOf(action.Header); err != nil {
		return nil, err
	}
	within := redirect.Stays(from.server, target)
	if !within && slices.ContainsFunc(slices.Collect(maps.Values(action.Header)), c.isOurs) {
		return nil, c.refuseToTell(target)
	}
	l.login = within && !answer.Authenticated && l.header.Get("Authorization") == ""
	return l, nil
}

// isOurs tells whether a text has the client's own credentials in it, which a server may repeat.
func (c *Client) isOurs(text string) bool { return c.mask.Hide(text) != text }

func (c *Client) refuseToTell(target *url.URL) error {
	return fmt.Errorf("%w: it would take our credentials to another server, %s: if that is the Git server, use this address for it, or correct the one that it takes for its own",
		ErrUnsafeLink, c.nameOf(target))
}

// expired tells whether the link may end before it is used.
func (l *link) expired() bool {
	return !l.expires.IsZero() && time.Until(l.expires) < expiryMargin
}

// checkTarget tells whether anything may be sent to an address that a server names: the Git server itself; any other
// over https; or over http from a Git server on loopback to loopback.
func (c *Client) checkTarget(git, target *url.URL) error {
	refuse := func(why string) error { return fmt.Errorf("%w to %s: %s", ErrUnsafeLink, c.nameOf(target), why) }
	switch {
	case target.Host == "" || target.Hostname() == "" || target.Opaque != "":
		return fmt.Errorf("%w: it names no server", ErrUnsafeLink)
	case target.User != nil:
		return refuse("it has credentials in it")
	case redirect.Stays(git, target):
		return nil
	case isLoopback(target.Hostname()) && !isLoopback(git.Hostname()):
		return refuse("this machine is not for a server elsewhere")
	case c.isOurs(target.String()):
		return c.refuseToTell(target)
	case isSpecial(target.Hostname()):
		return refuse("the address is of this network segment, or of no single machine")
	case target.Scheme == "https", target.Scheme == "http" && isLoopback(target.Hostname()):
		return nil
	}
	return refuse("other servers are spoken to over https only")
}

// nameOf shows scheme and host of an address, of which the rest may be secret.
func (c *Client) nameOf(u *url.URL) string {
	return foreign.Quote(c.mask.Line(u.Scheme+"://"+u.Host, 100), 110)
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && address.IsLoopback()
}

// isSpecial tells addresses at which no object store is, but may be what only a machine itself should ask: cloud
// providers' metadata is link-local.
func isSpecial(host string) bool {
	address, err := netip.ParseAddr(host)
	address = address.Unmap() // for IsUnspecified
	return err == nil && (address.IsLinkLocalUnicast() || address.IsMulticast() || address.IsUnspecified() || address.Zone() != "")
}

// public are headers of requests that are no secrets.
var public = map[string]bool{"Accept": true, "Accept-Encoding": true, "Content-Type": true, "Range": true, "User-Agent": true}

// secretsOf returns what an error must not tell of a request to a link: the address but for the host, and the values of
// its query and headers.
func secretsOf(u *url.URL, header http.Header) []string {
	secrets := []string{u.RawQuery, u.RequestURI()}
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	for name, values := range header {
		if public[name] {
			continue
		}
		for _, value := range values {
			secrets = append(append(secrets, value), strings.Fields(value)...)
		}
	}
	return secrets
}
