package faults_test

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/app-sre/git-partition-sync/internal/testserver/faultproxy"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// bulkStep is a step's request that moves many bytes.
type bulkStep struct {
	role stack.Role
	step string
	on   link
	of   func(*http.Request) bool
	// sends tells that the bytes are in the request, and not in its answer.
	sends bool
}

// halfway is how many bytes of a transfer pass before it is interrupted. A change has four times as many.
const halfway = changeSize / 4

var bulkSteps = []bulkStep{
	{stack.Producer, "Clone", toSource, isA(http.MethodPost, "/git-upload-pack"), false},
	{stack.Producer, "UploadLFS", producerToBucket, isA(http.MethodPut, "/lfs/"), true},
	{stack.Producer, "Upload", producerToBucket, func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, ".age") && !strings.Contains(r.URL.Path, "/lfs/")
	}, true},
	{stack.Consumer, "Download", consumerToBucket, func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, ".age") && !strings.Contains(r.URL.Path, "/lfs/")
	}, false},
	{stack.Consumer, "PushLFS", consumerToBucket, isA(http.MethodGet, "/lfs/"), false}, // which it reads from the bucket as it sends
	{stack.Consumer, "Push", toDestination, isA(http.MethodPost, "/git-receive-pack"), true},
}

func isA(method, path string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.Contains(r.URL.Path, path) }
}

// amid has do called in the middle of a transfer. Of several at a time it is one; what others move waits until do has returned.
func (r *trial) amid(t bulkStep, do func()) <-chan struct{} {
	done := make(chan struct{})
	var once sync.Once
	interrupt := func() {
		once.Do(func() {
			do()
			close(done)
		})
	}
	f := faultproxy.Fault{Of: t.of}
	if t.sends {
		f.Before = func(r *http.Request) { r.Body = &interrupted{ReadCloser: r.Body, left: halfway, at: interrupt} }
	} else {
		f.Alter = func(resp *http.Response) error {
			resp.Body = &interrupted{ReadCloser: resp.Body, left: halfway, at: interrupt}
			return nil
		}
	}
	r.on(t.on, f)
	return done
}

// interrupted calls at before it goes on after some bytes.
type interrupted struct {
	io.ReadCloser
	left int
	at   func()
}

func (i *interrupted) Read(p []byte) (n int, err error) {
	if i.left <= 0 {
		i.at()
		return i.ReadCloser.Read(p)
	}
	n, err = i.ReadCloser.Read(p[:min(len(p), i.left)])
	i.left -= n
	return n, err
}
