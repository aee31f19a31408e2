package s3test

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// spreadOver is how far back what is stored is dated.
const spreadOver = 5 * time.Minute

// Spread has uploads follow each other at a pace of one a second, as far as the store's times tell, so that nobody has to
// wait for the next second: what was stored is dated back, to the second after all that the bucket had, and by spreadOver if
// it had nothing. When those minutes are used up, objects have the times at which they were stored again.
type Spread struct {
	dir    string // of the bucket's objects
	except string // a key

	mu     sync.Mutex
	latest time.Time // that was given
}

// Spread is for all clients of the bucket together. The time of the object with one key does not count and is left as it is.
func (b *Bucket) Spread(except string) *Spread {
	return &Spread{dir: filepath.Join(b.dir, "data", b.Name), except: except}
}

// Stored dates an object back if the answer is that to an upload of one. Nobody may have seen the answer before.
func (s *Spread) Stored(resp *http.Response) error {
	req := resp.Request
	query := req.URL.Query()
	whole := req.Method == http.MethodPut && !query.Has("partNumber") || req.Method == http.MethodPost && query.Has("uploadId")
	_, key, ofObject := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	if !whole || !ofObject || key == "" || key == s.except || resp.StatusCode != http.StatusOK {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	file := filepath.Join(s.dir, filepath.FromSlash(key))
	others, err := s.latestBut(file)
	if err != nil {
		return err
	}
	if others.After(s.latest) {
		s.latest = others
	}
	next := s.latest.Truncate(time.Second).Add(time.Second)
	if s.latest.IsZero() {
		next = time.Now().Add(-spreadOver).Truncate(time.Second)
	}
	if next.After(time.Now()) {
		return nil // somebody has uploaded just now, past this
	}
	s.latest = next
	return os.Chtimes(file, next, next)
}

// latestBut is when the newest of the other objects was stored.
func (s *Spread) latestBut(file string) (latest time.Time, err error) {
	err = filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() || path == file || path == filepath.Join(s.dir, s.except) {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted since
		}
		if err == nil && info.ModTime().After(latest) {
			latest = info.ModTime()
		}
		return err
	})
	return latest, err
}
