package gitserver

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/lfs"
)

// transfer serves or takes an object.
func (l *LFS) transfer(w http.ResponseWriter, r *http.Request, repo, oid string) {
	if (lfs.Object{OID: oid}).Validate() != nil {
		lfsError(w, http.StatusNotFound, "Not found.")
		return
	}
	switch r.Method {
	case http.MethodGet:
		l.count(func(c *LFSCounts) { c.Downloads++ })
		if !l.fails(w, func(s *LFSSwitches) *int { return &s.DownloadStatus }) {
			l.download(w, r, repo, oid)
		}
	case http.MethodPut:
		l.count(func(c *LFSCounts) { c.Uploads++ })
		if l.fails(w, func(s *LFSSwitches) *int { return &s.UploadStatus }) {
			return
		}
		if err := l.upload(r.Body, repo, oid); err != nil {
			lfsError(w, http.StatusUnprocessableEntity, err.Error())
		}
	default:
		lfsError(w, http.StatusMethodNotAllowed, "Method not allowed")
	}
}

func (l *LFS) download(w http.ResponseWriter, r *http.Request, repo, oid string) {
	file, err := os.Open(l.Path(repo, oid))
	if err != nil {
		lfsError(w, http.StatusNotFound, "Object does not exist")
		return
	}
	defer func() { _ = file.Close() }()
	now := l.now()
	if now.NoRanges {
		r.Header.Del("Range")
	}
	if now.BreakAfter > 0 {
		w = &breaking{ResponseWriter: w, left: now.BreakAfter}
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if !now.WrongContent {
		http.ServeContent(w, r, "", time.Time{}, file)
		return
	}
	info, err := file.Stat()
	if err == nil {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(make([]byte, info.Size())))
	}
}

// breaking cuts the connection after some bytes of a body.
type breaking struct {
	http.ResponseWriter
	left int64
}

func (b *breaking) Write(p []byte) (int, error) {
	n, err := b.ResponseWriter.Write(p[:min(int64(len(p)), b.left)])
	if b.left -= int64(n); b.left == 0 {
		_ = http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// upload lets an object appear as a whole.
func (l *LFS) upload(body io.Reader, repo, oid string) error {
	path := l.Path(repo, oid)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".upload-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	digest := sha256.New()
	size, err := io.Copy(io.MultiWriter(file, digest), body)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if hex.EncodeToString(digest.Sum(nil)) != oid {
		return errors.New("content does not match its OID")
	}
	l.count(func(c *LFSCounts) { c.UploadedBytes += size })
	return os.Rename(file.Name(), path)
}

const defaultExpiry = time.Hour

// signed is a link to the store.
func (l *LFS) signed(repo, oid string, life time.Duration) string {
	if life == 0 {
		life = defaultExpiry
	}
	path, expires := "/"+repo+"/"+oid, itoa(time.Now().Add(life).Unix())
	u := url.URL{Scheme: "http", Host: l.at, Path: path}
	u.RawQuery = url.Values{"X-Expires": {expires}, "X-Signature": {l.signature(path, expires)}}.Encode()
	return u.String()
}

func (l *LFS) signature(path, expires string) string {
	mac := hmac.New(sha256.New, l.key)
	_, _ = fmt.Fprintf(mac, "%s %s", path, expires)
	return hex.EncodeToString(mac.Sum(nil))
}

// serveStore takes signed links, and as S3 no other credentials beside.
func (l *LFS) serveStore(w http.ResponseWriter, r *http.Request) {
	expires, signature := r.URL.Query().Get("X-Expires"), r.URL.Query().Get("X-Signature")
	until, err := strconv.ParseInt(expires, 10, 64)
	refuse := func(status int, code string) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, r.URL.RawQuery)
	}
	repo, oid := strings.TrimPrefix(filepath.Dir(r.URL.Path), "/"), filepath.Base(r.URL.Path)
	switch {
	case r.Header.Get("Authorization") != "":
		refuse(http.StatusBadRequest, "InvalidArgument")
	case err != nil || !hmac.Equal([]byte(signature), []byte(l.signature(r.URL.Path, expires))):
		refuse(http.StatusForbidden, "SignatureDoesNotMatch")
	case time.Now().Unix() > until:
		refuse(http.StatusForbidden, "AccessDenied")
	default:
		l.transfer(w, r, repo, oid)
	}
}
