package gitserver

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/app-sre/git-partition-sync/internal/lfs"
)

// WithLFS serves the batch API of Git LFS with basic transfers for every repository. The objects are where git-lfs itself
// keeps them: below lfs/objects in the repository's folder.
func WithLFS() Option {
	return func(s *Server) { s.lfs = &LFS{server: s, key: []byte(rand.Text())} }
}

// LFS is the LFS server beside a Git server. Its methods may be called concurrently.
type LFS struct {
	server *Server
	key    []byte // signs links to the store
	store  *http.Server
	at     string // the store's address

	mu       sync.Mutex
	switches LFSSwitches
	counts   LFSCounts
}

// LFSSwitches make the LFS server behave otherwise. Zero values do not.
type LFSSwitches struct {
	// Disabled answers as GitLab does for a project without LFS.
	Disabled bool
	// BatchStatus and the others answer with that status instead.
	BatchStatus, DownloadStatus, UploadStatus, VerifyStatus int
	// RetryAfter is the header of those answers.
	RetryAfter string
	// Failures is how many of those answers there are before all goes well; 0: they never end.
	Failures int
	// Store gives links to an object store at another port, with a signature that expires, and no verification.
	Store bool
	// Redirect sends downloads from the Git server on to the store.
	Redirect bool
	// ExpiresIn is the life of links.
	ExpiresIn time.Duration
	// WrongContent serves something else of the same size.
	WrongContent bool
	// BreakAfter is after how many bytes a download breaks off.
	BreakAfter int64
	// EchoSizes repeats the sizes that it was asked with, as GitLab does, whatever its objects have.
	EchoSizes bool
	// NoRanges serves the whole object whatever is asked for.
	NoRanges bool
}

// LFSCounts are how often something was asked for.
type LFSCounts struct {
	Batches, Downloads, Uploads, Verified int
	// UploadedBytes are those of uploads that arrived as a whole.
	UploadedBytes int64
}

// LFS returns the LFS server; nil without WithLFS.
func (s *Server) LFS() *LFS { return s.lfs }

// Switch changes how the server behaves from now on.
func (l *LFS) Switch(change func(*LFSSwitches)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.switches)
}

// Counts returns how often something was asked for so far.
func (l *LFS) Counts() LFSCounts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

func (l *LFS) count(what func(*LFSCounts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	what(&l.counts)
}

func (l *LFS) now() LFSSwitches {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.switches
}

// Path is where the content of an object is, or would be. Remove it, and the object is missing.
func (l *LFS) Path(repo, oid string) string {
	return filepath.Join(l.server.Dir(repo), "lfs", "objects", oid[:2], oid[2:4], oid)
}

// Has tells whether a repository has an object.
func (l *LFS) Has(repo, oid string) bool { return exists(l.Path(repo, oid)) }

// Add gives a repository an object.
func (l *LFS) Add(repo string, content []byte) (lfs.Object, error) {
	sum := sha256.Sum256(content)
	o := lfs.Object{OID: hex.EncodeToString(sum[:]), Size: int64(len(content))}
	path := l.Path(repo, o.OID)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return lfs.Object{}, err
	}
	return o, os.WriteFile(path, content, 0o644)
}

// Pointer is the blob that stands in Git for an object.
func Pointer(o lfs.Object) string {
	return "version https://git-lfs.github.com/spec/v1\noid sha256:" + o.OID + "\nsize " + itoa(o.Size) + "\n"
}

// RefuseMissing lets a repository refuse, as GitLab does, what has pointers to objects that it does not have.
func (l *LFS) RefuseMissing(repo string) error {
	return l.server.Hook(repo, "pre-receive", RefuseMissing(`lfs/objects/$(echo "$oid" | cut -c1-2)/$(echo "$oid" | cut -c3-4)/$oid`))
}

// RefuseMissing is a hook (githooks(5), pre-receive) that refuses pointers to objects that are not there. The file is, in the words
// of a shell, where the object $oid would be.
func RefuseMissing(file string) string {
	return `
missing=$(while read -r old new ref; do
	case $new in *[!0]*) git rev-list --objects "$new" --not --all ;; esac
done | cut -d' ' -f1 | git cat-file --batch-check='%(objecttype) %(objectsize) %(objectname)' | while read -r type size id; do
	[ "$type" = blob ] && [ "$size" -lt 1024 ] || continue
	oid=$(git cat-file blob "$id" | sed -n '1{/^version https:\/\/git-lfs/!q;};s/^oid sha256:\([0-9a-f]\{64\}\)$/\1/p' 2>/dev/null)
	[ -n "$oid" ] || continue
	[ -f "` + file + `" ] || echo "$oid"
done)
[ -z "$missing" ] && exit 0
echo 'GitLab: LFS objects are missing. Ensure LFS is properly set up or try a manual "git lfs push --all".' >&2
exit 1`
}

// start serves the store.
func (l *LFS) start() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	// Another name than the Git server's: git-lfs takes credentials along to another port of the same one.
	l.at = fmt.Sprintf("localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	l.store = &http.Server{Handler: http.HandlerFunc(l.serveStore), ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = l.store.Serve(listener) }() // returns once Close is called
	return nil
}

// isLFS returns the repository and the rest of a path that is the LFS server's.
func isLFS(path string) (repo, rest string, is bool) {
	repo, rest, is = strings.Cut(strings.TrimPrefix(path, "/"), ".git/info/lfs/")
	return repo, rest, is && filepath.IsLocal(filepath.FromSlash(repo))
}
