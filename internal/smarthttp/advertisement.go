package smarthttp

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

const (
	uploadPack  = "git-upload-pack"
	receivePack = "git-receive-pack"

	maxCapabilities = 256
	maxRefs         = 10_000_000

	// drainLimit is how many bytes are read so that the connection can be used again.
	drainLimit = 16 << 10
)

// advertisement is the start of an answer to "GET info/refs": either protocol v2's capabilities, or v0's first ref
// with the capabilities, which more refs follow.
type advertisement struct {
	url      *url.URL // the repository's, after redirects
	v2       bool
	caps     capabilities
	firstRef string // v0's first ref line, without the capabilities
	pkts     *pktReader
	body     io.ReadCloser
	cancel   context.CancelFunc // releases the limit on its time
}

// discover asks a repository for its advertisement, which has to be read within the limit. The caller has to close it.
func (c *Client) discover(ctx context.Context, repo *url.URL, service string, limit time.Duration) (*advertisement, error) {
	u := repo.JoinPath("info", "refs")
	u.RawQuery = "service=" + service
	header := http.Header{}
	if service == uploadPack { // receive-pack has no v2
		header.Set("Git-Protocol", "version=2")
	}
	ctx, done := httpclient.WithLimit(ctx, limit)
	resp, err := c.get(ctx, u, "application/x-"+service+"-advertisement", header)
	if err != nil {
		done()
		return nil, err
	}
	adv, err := readAdvertisement(c.readPackets(resp.Body), service)
	if err == nil {
		adv.body, adv.cancel = resp.Body, done
		adv.url, err = repositoryURL(resp.Request.URL, c.mask)
	}
	if err == nil {
		err = c.checkRedirectTarget(repo, adv.url)
	}
	if err != nil {
		_ = resp.Body.Close()
		done()
		return nil, err
	}
	return adv, nil
}

// checkRedirectTarget checks a redirect within the server, such as GitLab's for a renamed project: the new repository
// has to be an allowed one.
func (c *Client) checkRedirectTarget(from, to *url.URL) error {
	if to.Path == from.Path {
		return nil
	}
	repo, below := c.options.Forge.Project(to)
	if !below || c.options.AllowRedirectTo == nil || !c.options.AllowRedirectTo(repo) {
		return fmt.Errorf("%w: %q", ErrMovedElsewhere, c.mask.Line(repo, 200))
	}
	return nil
}

// repositoryURL removes from a URL what discover added to the repository's.
func repositoryURL(u *url.URL, mask *foreign.Mask) (*url.URL, error) {
	const suffix = "/info/refs"
	if !strings.HasSuffix(u.Path, suffix) {
		return nil, fmt.Errorf("%w to %q, which is not a repository", ErrRedirected, mask.Line(u.Path, 200))
	}
	return &url.URL{
		Scheme: u.Scheme, Host: u.Host,
		Path: strings.TrimSuffix(u.Path, suffix), RawPath: strings.TrimSuffix(u.RawPath, suffix),
	}, nil
}

// close may be called again. An advertisement that was not read has nothing to close.
func (a *advertisement) close() {
	if a.body == nil {
		return
	}
	drain(a.body)
	a.cancel()
	a.body = nil
}

// drain closes an answer of which nothing more is wanted. If little is left of it, its connection can be used again.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, drainLimit)
	_ = body.Close()
}

// readAdvertisement reads up to the capabilities.
func readAdvertisement(pkts *pktReader, service string) (*advertisement, error) {
	adv := &advertisement{pkts: pkts}
	line, err := adv.readLine()
	if line == "# service="+service { // git leaves this line out before v2's capabilities, GitLab does not
		if line, err = adv.readLine(); err == nil && line == "" {
			line, err = adv.readLine()
		}
	}
	if line == "version 2" {
		adv.v2 = true
		adv.caps, err = adv.readCapabilities()
	} else {
		var caps string
		adv.firstRef, caps, _ = strings.Cut(line, "\x00")
		adv.caps = strings.Fields(caps)
	}
	if err != nil {
		return nil, err
	}
	if format := adv.caps.value("object-format", "="); format != "" && format != "sha1" {
		return nil, fmt.Errorf("%w but %q", ErrObjectFormat, pkts.mask.Line(format, 20))
	}
	return adv, nil
}

func (a *advertisement) readLine() (string, error) {
	pkt, err := a.pkts.nextPacket()
	return strings.TrimSuffix(string(pkt), "\n"), err
}

func (a *advertisement) readCapabilities() (capabilities, error) {
	var caps capabilities
	for range maxCapabilities {
		line, err := a.readLine()
		if line == "" { // also with an error
			return caps, err
		}
		caps = append(caps, line)
	}
	return nil, fmt.Errorf("server advertises more than %d capabilities", maxCapabilities)
}

// readRefs reads the rest of a v0 advertisement.
func (a *advertisement) readRefs(refs *refLines) error {
	if a.firstRef == "" { // a flush at once: a repository without refs
		return nil
	}
	refs.head = a.caps.value("symref=HEAD", ":")
	if err := refs.add([]byte(a.firstRef), a.pkts); err != nil {
		return err
	}
	return refs.read(a.pkts)
}

// hasRefs tells whether a v0 advertisement has any. A repository without refs has a line of that name, for the capabilities.
func (a *advertisement) hasRefs() bool {
	return a.firstRef != "" && !strings.HasSuffix(a.firstRef, " capabilities^{}")
}

// capabilities are "name" or "name=value" each. One of v0's is "symref=HEAD:refs/heads/main".
type capabilities []string

func (c capabilities) value(name, separator string) string {
	for _, capability := range c {
		if value, ok := strings.CutPrefix(capability, name+separator); ok {
			return value
		}
	}
	return ""
}
