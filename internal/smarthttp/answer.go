package smarthttp

import (
	"compress/gzip"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

func (c *Client) checkResponse(resp *http.Response, contentType string) error {
	got := resp.Header.Get("Content-Type")
	kind, _, _ := mime.ParseMediaType(got) // in lower case, without parameters
	switch {
	case resp.StatusCode/100 == 3:
		return fmt.Errorf("%w: a POST is not sent anywhere else", ErrRedirected)
	case resp.StatusCode != http.StatusOK:
		return newStatusError(resp, c.mask, c.options.Forge.RequestID())
	case kind != contentType:
		return fmt.Errorf("%w: its content type is %q", ErrNotGit, c.mask.Line(got, 100))
	}
	return nil
}

// decompress undoes a compression that was not asked for, as some proxies add it. The server decides how much comes
// either way: every reader of an answer has its own limit.
func (c *Client) decompress(resp *http.Response) error {
	switch encoding := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return nil
	case "gzip", "x-gzip":
		r, err := gzip.NewReader(resp.Body)
		if err != nil {
			return fmt.Errorf("gzip, which was not asked for: %w", err)
		}
		resp.Body = &gunzip{Reader: r, body: resp.Body}
		return nil
	default:
		return fmt.Errorf("%w: it is compressed as %q, which was not asked for: find out which proxy does that", ErrNotGit, c.mask.Line(encoding, 40))
	}
}

type gunzip struct {
	*gzip.Reader
	body io.Closer
}

// Close implements io.Closer.
func (g *gunzip) Close() error { return g.body.Close() }
