package faults_test

import (
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/testserver/faultproxy"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/internal/testserver/toxiproxy"
)

// asks tells whether a request is of a kind.
type asks func(*http.Request) bool

func (is asks) and(more asks) asks { return func(r *http.Request) bool { return is(r) && more(r) } }

// about tells whether a request is about a repository, or anything of it in the bucket.
func about(repo string) asks {
	return func(r *http.Request) bool {
		of, _, isGit := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), ".git/")
		if stored, err := object.NewStored(key(r), 0, time.Time{}); err == nil && !isGit {
			of = stored.Destination.Path()
		}
		return strings.TrimPrefix(of, "mirror/") == repo
	}
}

func ends(method, with string) asks {
	return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, with) }
}

// The requests to Git servers.
var (
	// looks are for refs: what a repository that is not known yet is asked first, and protocol v2's command.
	looks asks = func(r *http.Request) bool {
		return discovers("git-upload-pack")(r) || ends(http.MethodPost, "/git-upload-pack")(r) && faultproxy.Begins(r, "0014command=ls-refs")
	}
	asksForPack asks = func(r *http.Request) bool {
		return ends(http.MethodPost, "/git-upload-pack")(r) && !faultproxy.Begins(r, "0014command=ls-refs")
	}
	pushes   = ends(http.MethodPost, "/git-receive-pack")
	asksLFS  = ends(http.MethodPost, "/info/lfs/objects/batch")
	verifies = ends(http.MethodPost, "/info/lfs/verify")
)

func discovers(service string) asks {
	return func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/info/refs") && r.URL.Query().Get("service") == service
	}
}

func lfsObject(method string) asks {
	return func(r *http.Request) bool {
		return r.Method == method && strings.HasSuffix(path.Dir(r.URL.Path), "/info/lfs/objects")
	}
}

// key is that of an object of the bucket; "" if a request is about the bucket.
func key(r *http.Request) string {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"+stack.BucketName), "/")
	return key
}

// stored tells whether a request is of this method and about objects, with that parameter of the query; "" is without parts.
func stored(method, parameter string) asks {
	return func(r *http.Request) bool {
		query := r.URL.Query()
		parts := query.Has("uploads") || query.Has("uploadId")
		return r.Method == method && key(r) != "" && key(r) != catalog.Key && (parameter == "" && !parts || query.Has(parameter))
	}
}

func catalogued(method string) asks {
	return func(r *http.Request) bool { return r.Method == method && key(r) == catalog.Key }
}

var (
	// puts are of whole objects and of parts.
	puts  asks = func(r *http.Request) bool { return r.Method == http.MethodPut && key(r) != catalog.Key }
	lists asks = func(r *http.Request) bool {
		return r.Method == http.MethodGet && key(r) == "" && r.URL.Query().Has("list-type")
	}
	deletes asks = func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("delete") }
)

// exchange is the first body of a request or answer, of those that are meant, in the middle of which something happens.
type exchange struct {
	do     func()
	holds  bool // nothing moves while it happens
	found  atomic.Bool
	middle chan struct{} // closed when it has happened
	over   chan struct{} // closed when the body is
	whole  atomic.Bool   // the body has come to its end
}

// body is one that may become an exchange's.
type body struct {
	io.ReadCloser
	left  int // bytes until the middle
	of    *exchange
	isIt  atomic.Bool
	close sync.Once
}

// crawl is how many bytes are read at a time while something happens to a request: Toxiproxy waits for some to move.
const crawl = 4 << 10

func (b *body) Read(p []byte) (int, error) {
	if b.isIt.Load() && !isClosed(b.of.middle) {
		p = p[:min(len(p), crawl)]
		time.Sleep(time.Millisecond)
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left <= 0 && b.of.found.CompareAndSwap(false, true) {
		b.isIt.Store(true)
		b.of.happen()
	}
	if b.isIt.Load() && err == io.EOF {
		b.of.whole.Store(true)
	}
	return n, err
}

func (x *exchange) happen() {
	go func() {
		x.do()
		close(x.middle)
	}()
	if x.holds {
		<-x.middle
	}
}

func (b *body) Close() error {
	if b.isIt.Load() {
		b.close.Do(func() { close(b.of.over) })
	}
	return b.ReadCloser.Close()
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// during has do called when so many bytes of such a request, or of its answer, are on their way.
func (r *trial) during(l link, is asks, d toxiproxy.Direction, bytes int, do func()) *exchange {
	x := &exchange{do: do, holds: d == toxiproxy.Answers, middle: make(chan struct{}), over: make(chan struct{})}
	f := faultproxy.Fault{Of: is}
	if d == toxiproxy.Requests {
		f.Before = func(req *http.Request) { req.Body = &body{ReadCloser: req.Body, left: bytes, of: x} }
	} else {
		f.Alter = func(answer *http.Response) error {
			answer.Body = &body{ReadCloser: answer.Body, left: bytes, of: x}
			return nil
		}
	}
	r.on(l, f)
	return x
}
