package model

import (
	"bytes"
	"cmp"
	"crypto/md5" // the ETags of S3
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// stored is an object of the store's.
type stored struct {
	content  []byte
	etag     string
	modified time.Time // whole seconds
	metadata http.Header
	version  int // tells it from others with the same content
}

// store is an S3 store in memory, with one bucket. Its clock is its own, and shows whole seconds. It has each state that it was
// ever in: a listing may be of an earlier one.
type store struct {
	ahead    time.Duration // of the clock that the workers go by
	pageSize int           // how many keys a page of a listing has

	mu     sync.Mutex
	states []map[string]stored // the last one is now
	// lag is of how many changes before the next listing is, and cut whether it says that there is more, but not how to get that.
	lag int
	cut bool
	// changed is called with each change, and may be nil.
	changed func(what string)
}

func newStore(ahead time.Duration, pageSize int) *store {
	return &store{ahead: ahead, pageSize: pageSize, states: []map[string]stored{{}}}
}

func (s *store) now() map[string]stored { return s.states[len(s.states)-1] }

// lookAt is now for those who are no request.
func (s *store) lookAt() map[string]stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// clock is in whole seconds.
func (s *store) clock() time.Time { return time.Now().Add(s.ahead).UTC().Truncate(time.Second) }

// change makes a state of the last one.
func (s *store) change(what string, change func(map[string]stored)) {
	next := maps.Clone(s.now())
	change(next)
	s.states = append(s.states, next)
	if s.changed != nil {
		s.changed(what)
	}
}

// tampered is what changes are called that somebody else makes.
const tampered = "tampered"

// remove deletes an object, as somebody else.
func (s *store) remove(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change(tampered, func(now map[string]stored) { delete(now, key) })
}

// putBack stores an object that was there once, as somebody else.
func (s *store) putBack(key string, o stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.modified, o.version = s.clock(), len(s.states)
	s.change(tampered, func(now map[string]stored) { now[key] = o })
}

// restore puts all back as it was once, as somebody else.
func (s *store) restore(state map[string]stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change(tampered, func(now map[string]stored) {
		clear(now)
		maps.Copy(now, state)
	})
}

// RoundTrip implements http.RoundTripper.
func (s *store) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := readBody(req)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, key, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	resp := &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Request: req}
	resp.Header.Set("Date", s.clock().Format(http.TimeFormat))
	var content []byte
	switch query := req.URL.Query(); {
	case req.Method == http.MethodHead && key == "":
	case req.Method == http.MethodGet && query.Has("list-type"):
		content = s.list(query)
	case req.Method == http.MethodPost && query.Has("delete"):
		content = s.deleteAll(body)
	case req.Method == http.MethodPut && len(query) <= 1:
		resp.StatusCode, content = s.put(key, body, req.Header, resp.Header)
	case req.Method == http.MethodGet || req.Method == http.MethodHead:
		resp.StatusCode, content = s.get(key, req.Header, resp.Header)
	default:
		return nil, fmt.Errorf("the store does not know %s %s", req.Method, req.URL)
	}
	resp.ContentLength = int64(len(content))
	if req.Method == http.MethodHead {
		if sent := resp.Header.Get("Content-Length"); sent != "" {
			_, _ = fmt.Sscan(sent, &resp.ContentLength)
		}
		content = nil
	}
	resp.Body = io.NopCloser(bytes.NewReader(content))
	return resp, nil
}

func s3Error(code string) []byte { return []byte("<Error><Code>" + code + "</Code></Error>") }

func (s *store) get(key string, asked, header http.Header) (status int, content []byte) {
	o, ok := s.now()[key]
	if !ok {
		return http.StatusNotFound, s3Error("NoSuchKey")
	}
	if match := asked.Get("If-Match"); match != "" && match != o.etag {
		return http.StatusPreconditionFailed, s3Error("PreconditionFailed")
	}
	maps.Copy(header, o.metadata)
	header.Set("Etag", o.etag)
	header.Set("Last-Modified", o.modified.Format(http.TimeFormat))
	header.Set("Content-Length", fmt.Sprint(len(o.content)))
	var first, last int
	if n, _ := fmt.Sscanf(asked.Get("Range"), "bytes=%d-%d", &first, &last); n == 2 {
		last = min(last, len(o.content)-1)
		header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(o.content)))
		header.Set("Content-Length", fmt.Sprint(last+1-first))
		return http.StatusPartialContent, o.content[first : last+1]
	}
	return http.StatusOK, o.content
}

func (s *store) put(key string, body []byte, asked, header http.Header) (status int, content []byte) {
	before, exists := s.now()[key]
	if match := asked.Get("If-Match"); match != "" && match != before.etag || asked.Get("If-None-Match") != "" && exists {
		return http.StatusPreconditionFailed, s3Error("PreconditionFailed")
	}
	sum := md5.Sum(body)
	o := stored{content: body, etag: `"` + hex.EncodeToString(sum[:]) + `"`, modified: s.clock(), metadata: http.Header{}, version: len(s.states)}
	for name, values := range asked {
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			o.metadata[name] = values
		}
	}
	s.change("PUT "+key, func(now map[string]stored) { now[key] = o })
	header.Set("Etag", o.etag)
	return http.StatusOK, nil
}

func (s *store) deleteAll(body []byte) []byte {
	var asked struct{ Object []struct{ Key string } }
	if err := xml.Unmarshal(body, &asked); err != nil {
		return s3Error("MalformedXML")
	}
	for _, o := range asked.Object {
		s.change("DELETE "+o.Key, func(now map[string]stored) { delete(now, o.Key) })
	}
	return []byte("<DeleteResult></DeleteResult>")
}

// prepare is called before each request: the next listing has the given outcome, and belongs to the attempt.
func (s *store) prepare(a *attempt, isListing bool, o outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag, s.cut = o.lag, o.cut
	if isListing && !a.looking { // it may take several
		a.looked = len(s.states)
	}
	a.looking = isListing
}

// list is a page of a listing, of now or of some changes ago.
func (s *store) list(query url.Values) []byte {
	type entry struct {
		Key, LastModified, ETag string
		Size                    int
	}
	var page struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		EncodingType          string
		NextContinuationToken string `xml:",omitempty"`
		Contents              []entry
	}
	page.EncodingType = "url"
	state := s.states[max(0, len(s.states)-1-s.lag)]
	after := cmp.Or(query.Get("continuation-token"), query.Get("start-after"))
	for _, key := range slices.Sorted(maps.Keys(state)) {
		if !strings.HasPrefix(key, query.Get("prefix")) || key <= after {
			continue
		}
		if page.IsTruncated = len(page.Contents) == s.pageSize; page.IsTruncated {
			break
		}
		o := state[key]
		page.Contents = append(page.Contents, entry{url.QueryEscape(key), o.modified.Format(time.RFC3339), o.etag, len(o.content)})
		page.NextContinuationToken = key
	}
	if s.cut {
		page.Contents, page.IsTruncated = page.Contents[:len(page.Contents)/2], true
	}
	if s.cut || !page.IsTruncated {
		page.NextContinuationToken = ""
	}
	text, err := xml.Marshal(page)
	if err != nil {
		return s3Error(err.Error())
	}
	return text
}
