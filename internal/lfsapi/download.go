package lfsapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// Download puts an object that the server was asked about for a Download into a file, after what is there already of it
// from a download that was broken off. It reads that again, and checks size and SHA-256 of the whole.
//
// It fails with ErrMissing, with ErrMismatch, after which the file is empty, and with others of this package. Most leave
// what has arrived in the file.
func (c *Client) Download(ctx context.Context, t Transfer, to File) error {
	err := t.check(Download)
	if err == nil {
		err = c.download(ctx, t, to)
	}
	if err != nil {
		return fmt.Errorf("download the LFS object %s: %w", t.OID, err)
	}
	return nil
}

func (c *Client) download(ctx context.Context, t Transfer, to File) error {
	p, err := openPartial(ctx, to, t.Object)
	if err != nil {
		return err
	}
	err = c.complete(ctx, t, p)
	if errors.Is(err, ErrMismatch) { // what was there may be what is wrong, or what a proxy made of it
		err = c.complete(ctx, t, p)
	}
	return err
}

// minProgress is how many bytes an answer has to bring that breaks off, for the rest to be asked for at once: some proxies end
// every answer after a time, and a caller tries again a few times only.
const minProgress = 16 << 20

// complete gets what the file lacks. It empties the file when it fails with ErrMismatch, or with ErrNotLFS for a web page that
// came in the object's place: a proxy wants somebody to sign in, and the server may well have the object.
func (c *Client) complete(ctx context.Context, t Transfer, p *partial) error {
	var err error
	for more := p.have < p.object.Size; more; {
		had := p.have
		err = c.withLink(ctx, t, func(t Transfer) error {
			return c.patiently(ctx, func() error { return c.fetch(ctx, t.link, p) })
		})
		more = errors.Is(err, httpclient.ErrNoConnection) && p.have >= had+minProgress
	}
	if err == nil {
		err = p.check()
	}
	if errors.Is(err, ErrMismatch) {
		if p.isPage {
			err = fmt.Errorf("%w, but a web page: %v", ErrNotLFS, err) // only as text: it says nothing of the object
		}
		err = errors.Join(err, p.reset())
	}
	return err
}

// fetch gets the rest of an object, or all of it if the server has no ranges. Whether a range is the right one, the SHA-256
// tells.
func (c *Client) fetch(ctx context.Context, l *link, p *partial) error {
	byteRange := ""
	if p.have > 0 {
		byteRange = fmt.Sprintf("bytes=%d-%d", p.have, p.object.Size-1)
	}
	resp, err := c.get(ctx, l, byteRange)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case p.have > 0 && resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("%s: %w: it ends before %d bytes", c.nameOf(resp.Request.URL), ErrMismatch, p.have)
	case p.have > 0 && resp.StatusCode == http.StatusPartialContent:
	case resp.StatusCode == http.StatusOK:
		if err := p.reset(); err != nil {
			return err
		}
	default:
		return c.refusal(resp, ofDownload, Download)
	}
	err = c.copyBody(resp, p)
	if err == nil || p.failed != nil && !errors.Is(err, ErrMismatch) { // what the file fails with is not the server's
		return err
	}
	return fmt.Errorf("%s: %w", c.nameOf(resp.Request.URL), err)
}

// copyBody puts a body where the file ends.
func (c *Client) copyBody(resp *http.Response, p *partial) error {
	rest := p.object.Size - p.have
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	p.isPage = kind == "text/html"
	encoding := strings.ToLower(resp.Header.Get("Content-Encoding"))
	switch {
	case encoding != "" && encoding != "identity":
		return fmt.Errorf("%w: it is compressed as %q, which was not asked for: find out which proxy does that", ErrNotLFS, c.maskOf(resp.Request).Line(encoding, 40))
	case resp.ContentLength >= 0 && resp.ContentLength != rest:
		return fmt.Errorf("%w: %d bytes are announced, of the type %q, and not %d", ErrMismatch, resp.ContentLength, c.maskOf(resp.Request).Line(resp.Header.Get("Content-Type"), 60), rest)
	}
	_, err := io.Copy(p, io.LimitReader(resp.Body, rest+1))
	switch {
	case p.failed != nil:
		return p.failed
	case err != nil:
		return c.brokenOff(resp, p, err)
	case p.have < p.object.Size && resp.Close && resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 && resp.ProtoMajor == 1:
		return c.brokenOff(resp, p, io.ErrUnexpectedEOF) // such a body ends with its connection, whole or not
	}
	return nil
}

// brokenOff describes a body that ended too early. The next Download goes on from there.
func (c *Client) brokenOff(resp *http.Response, p *partial, err error) error {
	text := fmt.Sprintf("the answer broke off after %d of %d bytes", p.have, p.object.Size)
	if errors.Is(err, httpclient.ErrSilent) || resp.Request.Context().Err() != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	return fmt.Errorf("%s: %w: %w", text, httpclient.ErrNoConnection, c.maskOf(resp.Request).Error(err, maxExcerpt))
}
