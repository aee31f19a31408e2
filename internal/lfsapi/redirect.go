package lfsapi

import (
	"fmt"
	"net/http"
	"net/url"
)

// redirectsUnread keeps net/http from redirects to what is no address: its error would quote it.
type redirectsUnread struct{ http.RoundTripper }

func (t redirectsUnread) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(req)
	if err == nil && isRedirect(resp.StatusCode) {
		if _, parseErr := url.Parse(resp.Header.Get("Location")); parseErr != nil {
			resp.Header.Del("Location")
		}
	}
	return resp, err
}

// isRedirect tells the statuses whose Location is the place to ask instead.
func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// location is where a redirect points.
func location(resp *http.Response) (*url.URL, error) {
	text := resp.Header.Get("Location")
	if len(text) > maxLinkLength {
		return nil, fmt.Errorf("%w: a redirect to an address of %d bytes", ErrUnsafeLink, len(text))
	}
	target, err := resp.Location()
	if err != nil { // there is none
		return nil, fmt.Errorf("%w: a redirect to no valid address", ErrUnsafeLink)
	}
	return target, nil
}
