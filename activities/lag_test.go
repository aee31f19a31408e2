package activities

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

// lag stands between a side and the bucket. Its listings may be those of an earlier time, as those of
// stores that are not strictly consistent.
type lag struct {
	mu     sync.Mutex
	behind bool
	seen   map[string][]byte // listings by their query
	// before is asked before each request is sent, and may be nil.
	before func(*http.Request)
	// spread may date uploads, and may be nil.
	spread *s3test.Spread
	// alter may change an answer, and may be nil. It is asked for one answer at a time.
	alter    func(*http.Response)
	altering sync.Mutex
}

// freeze makes listings that were seen before come again as they were.
func (l *lag) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.behind = true
}

// serve returns the URL under which the server at target is reached through l.
func (l *lag) serve(t *testing.T, target string) string {
	t.Helper()
	to, err := url.Parse(target)
	require.NoError(t, err)
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		ErrorLog:  log.New(t.Output(), "proxy: ", 0),
		Transport: l,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // it is signed
		},
	})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

func (l *lag) alterAlone(resp *http.Response) {
	l.altering.Lock()
	defer l.altering.Unlock()
	l.alter(resp)
}

func (l *lag) RoundTrip(req *http.Request) (*http.Response, error) {
	if l.before != nil {
		l.before(req)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if l.spread != nil {
		if err := l.spread.Stored(resp); err != nil {
			return nil, err
		}
	}
	if l.alter != nil {
		l.alterAlone(resp)
	}
	if req.Method != http.MethodGet || !req.URL.Query().Has("list-type") {
		return resp, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old, known := l.seen[req.URL.RawQuery]
	if !known || !l.behind {
		if old, err = io.ReadAll(resp.Body); err != nil {
			return nil, err
		}
		if l.seen == nil {
			l.seen = map[string][]byte{}
		}
		l.seen[req.URL.RawQuery] = old
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(old)), int64(len(old))
	resp.Header.Set("Content-Length", strconv.Itoa(len(old)))
	return resp, nil
}
