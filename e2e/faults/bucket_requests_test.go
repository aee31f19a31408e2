package faults_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/stretchr/testify/assert"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/testserver/faultproxy"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// request tells which requests a fault is for.
type request func(*http.Request) bool

// keyOf is the key that a request to the bucket names, "" for one of the bucket itself.
func keyOf(r *http.Request) string {
	key, _ := strings.CutPrefix(strings.TrimPrefix(r.URL.Path, "/"+stack.BucketName), "/")
	return key
}

func isListing(r *http.Request) bool { return r.Method == http.MethodGet && keyOf(r) == "" }

func isCatalog(r *http.Request) bool { return keyOf(r) == catalog.Key }

func isLFS(r *http.Request) bool { return strings.HasPrefix(keyOf(r), "lfs/") }

// isWrite leaves out what only takes back an upload.
func isWrite(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

func isDeletion(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("delete") || r.Method == http.MethodDelete && !r.URL.Query().Has("uploadId")
}

// of is for requests of a method for an object with commits of a repository.
func of(method, repo string) request {
	return func(r *http.Request) bool {
		id, err := object.ParseKey(keyOf(r))
		return r.Method == method && err == nil && id.Destination.Path() == "mirror/"+repo
	}
}

// withQuery narrows to requests with such a parameter.
func (f request) withQuery(name, value string) request {
	return func(r *http.Request) bool {
		query := r.URL.Query()
		return f(r) && query.Has(name) && (value == "" || query.Get(name) == value)
	}
}

// before has do called before the server sees the next such request. The channel is closed when it has returned.
func (r *trial) before(l link, of request, do func(*http.Request)) <-chan struct{} {
	done := make(chan struct{})
	r.on(l, faultproxy.Fault{Of: of, Times: 1, Before: func(req *http.Request) {
		defer close(done)
		do(req)
	}})
	return done
}

// altered is an Alter of a whole answer that went well.
func altered(change func(query, text string) string) func(*http.Response) error {
	return func(resp *http.Response) error {
		if resp.StatusCode != http.StatusOK {
			return nil
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		query, _ := url.QueryUnescape(resp.Request.URL.RawQuery)
		changed := change(query, string(text))
		resp.Body = io.NopCloser(strings.NewReader(changed))
		resp.ContentLength = int64(len(changed))
		resp.Header.Set("Content-Length", strconv.Itoa(len(changed)))
		return nil
	}
}

var (
	listedObject  = regexp.MustCompile(`(?s)<Contents>.*?</Contents>`)
	listedObjects = regexp.MustCompile(`<KeyCount>\d+</KeyCount>`)
	listedMore    = regexp.MustCompile(`<IsTruncated>\w+</IsTruncated>`)
)

// withObjects is a page of a listing of which only some objects are kept, by their place.
func withObjects(page string, keep func(i, all int) bool) string {
	i, all := -1, len(listedObject.FindAllString(page, -1))
	page = listedObject.ReplaceAllStringFunc(page, func(object string) string {
		if i++; keep(i, all) {
			return object
		}
		return ""
	})
	return listedObjects.ReplaceAllString(page, "")
}

// overwrite has someone with the producer's keys put something else in an object's place.
func (r *trial) overwrite(key string, content []byte) {
	r.Helper()
	b, err := r.Bucket(context.Background(), stack.Producer)
	assert.NoError(r, err)
	assert.NoError(r, b.Upload(context.Background(), key, bytes.NewReader(content), int64(len(content))))
}

// remove has someone delete an object.
func (r *trial) remove(key string) {
	r.Helper()
	b, err := r.Bucket(context.Background(), stack.Producer)
	assert.NoError(r, err)
	assert.NoError(r, b.Delete(context.Background(), key))
}

// content reads an object as it is.
func (r *trial) content(key string) []byte {
	r.Helper()
	b, err := r.Bucket(context.Background(), stack.Producer)
	assert.NoError(r, err)
	content, _, err := b.GetIfChanged(context.Background(), key, "", catalog.MaxSize)
	assert.NoError(r, err)
	return content
}
