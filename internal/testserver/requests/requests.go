// Package requests tells what the requests to Git servers and to buckets are for, and counts them.
package requests

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/app-sre/git-partition-sync/internal/catalog"
)

// Counter counts requests by what they are for.
type Counter struct {
	mu     *sync.Mutex
	counts map[string]int
}

// NewCounter returns one that has counted nothing.
func NewCounter() Counter { return Counter{new(sync.Mutex), map[string]int{}} }

// Count counts one request.
func (c Counter) Count(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[kind]++
}

// Take returns what was counted since it was called last.
func (c Counter) Take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := maps.Clone(c.counts)
	clear(c.counts)
	return counts
}

// Body counts the bytes that are read of a request's body, or of an answer's.
type Body struct {
	io.ReadCloser
	N *atomic.Int64
}

// Read implements io.Reader.
func (b Body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.N.Add(int64(n))
	return n, err
}

// Kinds of requests to Git servers that move a pack.
const (
	Fetch = "fetch"
	Push  = "push"
)

// GitKind is what a request to a Git server is for, such as "ls-refs".
func GitKind(r *http.Request) string {
	switch service := r.URL.Query().Get("service"); {
	case strings.HasSuffix(r.URL.Path, "/info/refs"):
		return "discovery " + strings.TrimPrefix(service, "git-")
	case strings.HasSuffix(r.URL.Path, "/git-receive-pack"):
		return Push
	case strings.HasSuffix(r.URL.Path, "/git-upload-pack") && beginsWith(r, "0014command=ls-refs"):
		return "ls-refs"
	case strings.HasSuffix(r.URL.Path, "/git-upload-pack"):
		return Fetch
	case strings.HasSuffix(r.URL.Path, "/info/lfs/objects/batch"):
		return "lfs"
	}
	return r.Method + " other"
}

// beginsWith tells how the body of a request begins, and leaves it there.
func beginsWith(r *http.Request, text string) bool {
	start := make([]byte, len(text))
	n, _ := io.ReadFull(r.Body, start) // what is wrong with the body is found again
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start[:n]), r.Body), r.Body}
	return string(start[:n]) == text
}

// BucketKind is what a request to a bucket is for, whose name is the first part of the path: such as "LIST" and "GET object".
func BucketKind(r *http.Request) string {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch query := r.URL.Query(); {
	case key == "" && query.Has("list-type"):
		return "LIST"
	case key == "" && query.Has("delete"):
		return "DELETE objects"
	case key == "":
		return r.Method + " bucket"
	case key == catalog.Key:
		return r.Method + " catalog"
	}
	return r.Method + " object"
}
