package scale_test

import (
	"bytes"
	"crypto/md5"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/app-sre/git-partition-sync/internal/testserver/requests"
)

// store is a bucket in memory: as much of S3 as both sides ask for.
type store struct {
	requests.Counter
	mu      sync.Mutex
	objects map[string]content
	keys    []string // sorted
}

type content struct {
	bytes    []byte
	etag     string
	modified time.Time // in whole seconds, as S3 says it
	metadata http.Header
}

func newStore() *store { return &store{Counter: requests.NewCounter(), objects: map[string]content{}} }

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Count(requests.BucketKind(r))
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch query := r.URL.Query(); {
	case key != "" && r.Method == http.MethodPut:
		s.put(w, r, key)
	case key != "":
		s.get(w, r, key)
	case query.Has("delete"):
		s.remove(w, r)
	case query.Has("list-type"):
		s.list(w, query)
	}
}

func (s *store) put(w http.ResponseWriter, r *http.Request, key string) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	before, exists := s.objects[key]
	if match := r.Header.Get("If-Match"); err != nil || exists && r.Header.Get("If-None-Match") == "*" || match != "" && match != before.etag {
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	o := content{bytes: body, etag: fmt.Sprintf(`"%x"`, md5.Sum(body)), modified: time.Now().UTC().Truncate(time.Second), metadata: http.Header{}}
	for name, values := range r.Header {
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			o.metadata[name] = values
		}
	}
	s.objects[key] = o
	if at, found := slices.BinarySearch(s.keys, key); !found {
		s.keys = slices.Insert(s.keys, at, key)
	}
	w.Header().Set("ETag", o.etag)
}

func (s *store) get(w http.ResponseWriter, r *http.Request, key string) {
	s.mu.Lock()
	o, exists := s.objects[key]
	s.mu.Unlock()
	if !exists {
		w.WriteHeader(http.StatusNotFound)
		if r.Method == http.MethodGet {
			fmt.Fprint(w, "<Error><Code>NoSuchKey</Code><Message>there is no such key</Message></Error>")
		}
		return
	}
	for name, values := range o.metadata {
		w.Header()[name] = values
	}
	w.Header().Set("ETag", o.etag)
	http.ServeContent(w, r, "", o.modified, bytes.NewReader(o.bytes))
}

func (s *store) remove(w http.ResponseWriter, r *http.Request) {
	var wanted struct {
		Object []struct{ Key string }
	}
	if err := xml.NewDecoder(r.Body).Decode(&wanted); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range wanted.Object {
		delete(s.objects, o.Key)
		if at, found := slices.BinarySearch(s.keys, o.Key); found {
			s.keys = slices.Delete(s.keys, at, at+1)
		}
	}
	fmt.Fprint(w, "<DeleteResult></DeleteResult>")
}

// listing is an answer to ListObjectsV2.
type listing struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	EncodingType          string
	IsTruncated           bool
	KeyCount              int
	NextContinuationToken string `xml:",omitempty"`
	Contents              []listedObject
}

type listedObject struct {
	Key, ETag, LastModified string
	Size                    int
}

// list answers without folders: there are none while there is no Git LFS.
func (s *store) list(w http.ResponseWriter, query url.Values) {
	const most = 1000
	after, prefix := max(query.Get("start-after"), query.Get("continuation-token")), query.Get("prefix")
	answer := listing{EncodingType: "url"}
	s.mu.Lock()
	at, _ := slices.BinarySearch(s.keys, max(after, prefix))
	for ; at < len(s.keys) && strings.HasPrefix(s.keys[at], prefix); at++ {
		key := s.keys[at]
		if key == after {
			continue
		}
		if len(answer.Contents) == most {
			answer.IsTruncated, answer.NextContinuationToken = true, s.keys[at-1]
			break
		}
		o := s.objects[key]
		answer.Contents = append(answer.Contents, listedObject{url.QueryEscape(key), o.etag, o.modified.Format(time.RFC3339), len(o.bytes)})
	}
	s.mu.Unlock()
	answer.KeyCount = len(answer.Contents)
	_ = xml.NewEncoder(w).Encode(answer) // who asked may have gone
}
