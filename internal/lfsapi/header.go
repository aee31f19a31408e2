package lfsapi

import (
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Limits on the headers of an action. A signed upload takes 5 and 1,000 bytes.
const (
	maxHeaders    = 32
	maxHeaderSize = 8 << 10 // names and values together
)

// ignored are headers that a server may name, but that are not its to decide: those of the connection, those that the
// transport writes, and cookies. AWS' presigned requests name Host and Content-Length.
var ignored = map[string]bool{
	"Accept-Encoding": true, "Connection": true, "Content-Length": true, "Cookie": true, "Expect": true, "Host": true, "Keep-Alive": true,
	"Proxy-Authenticate": true, "Proxy-Authorization": true, "Proxy-Connection": true, "Range": true, "If-Range": true, "Te": true,
	"Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "User-Agent": true,
}

// headerOf returns the headers of an action, without those that are ignored. GitLab and Gitea ask for an upload in
// chunks by Transfer-Encoding, because proxies limit the length that a request announces.
func headerOf(given map[string]string) (header http.Header, chunked bool, err error) {
	if len(given) > maxHeaders {
		return nil, false, fmt.Errorf("%w: it comes with %d headers, limit %d", ErrUnsafeLink, len(given), maxHeaders)
	}
	header = http.Header{}
	size := 0
	for name, value := range given {
		if size += len(name) + len(value); size > maxHeaderSize {
			return nil, false, fmt.Errorf("%w: its headers exceed %d bytes", ErrUnsafeLink, maxHeaderSize)
		}
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, false, fmt.Errorf("%w: it comes with what is no header", ErrUnsafeLink)
		}
		name = http.CanonicalHeaderKey(name)
		if name == "Transfer-Encoding" {
			chunked = strings.EqualFold(strings.TrimSpace(value), "chunked")
		}
		if !ignored[name] {
			header.Set(name, value)
		}
	}
	return header, chunked, nil
}
