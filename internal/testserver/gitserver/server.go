// Package gitserver serves Git repositories over smart HTTP on a loopback
// address: git's own "git http-backend" behind basic authentication. It stands
// in for a GitLab instance in the demo and in the tests.
package gitserver

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Credentials are what the server asks for, and what a client presents.
type Credentials struct {
	User, Password string
}

// Server is a running Git server. Its methods may be called concurrently.
type Server struct {
	dir      string
	auth     Credentials
	backend  string
	onlyV0   bool
	creation Creation   // 0 creates nothing by push
	creating sync.Mutex // is held while it is decided whether to
	groups   *groupsAPI // nil serves none
	lfs      *LFS       // nil serves none
	wrap     func(http.Handler) http.Handler
	listener net.Listener
	http     *http.Server
	inFlight sync.RWMutex // each request reads; Close waits for them to write
}

// Option changes how Start sets a server up.
type Option func(*Server)

// WithMiddleware lets wrap see each request first, before authentication.
func WithMiddleware(wrap func(http.Handler) http.Handler) Option {
	return func(s *Server) { s.wrap = wrap }
}

// WithoutProtocolV2 makes the server speak protocol v0 only, whatever the
// client asks for, as servers older than Git 2.18 do.
func WithoutProtocolV2() Option {
	return func(s *Server) { s.onlyV0 = true }
}

// Start serves the repositories below dir, which is made if it does not exist,
// on a free port of 127.0.0.1.
func Start(dir string, auth Credentials, opts ...Option) (*Server, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s := &Server{dir: dir, auth: auth}
	for _, opt := range opts {
		opt(s)
	}
	execPath, err := s.run(context.Background(), dir, nil, "--exec-path")
	if err != nil {
		return nil, err
	}
	s.backend = filepath.Join(execPath, "git-http-backend")
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	var handler http.Handler = http.HandlerFunc(s.serve)
	if s.wrap != nil {
		handler = s.wrap(handler)
	}
	if s.lfs != nil {
		if err := s.lfs.start(); err != nil {
			return nil, errors.Join(err, s.listener.Close())
		}
	}
	s.http = &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = s.http.Serve(s.listener) }() // returns once Close is called
	return s, nil
}

// URL is the server's base URL, without credentials or a trailing slash.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// closeTimeout is how long Close waits for git processes, such as a hook that never ends.
const closeTimeout = 10 * time.Second

// Close stops the server and cuts the connections that are open. When it
// returns, no git process works in the directory any more, or there is an error.
func (s *Server) Close() error {
	err := s.http.Close()
	if s.lfs != nil {
		err = errors.Join(err, s.lfs.store.Close())
	}
	idle := make(chan struct{})
	go func() {
		s.inFlight.Lock()
		defer s.inFlight.Unlock()
		close(idle)
	}()
	select {
	case <-idle:
		return err
	case <-time.After(closeTimeout):
		return errors.Join(err, errors.New("git processes are still at work"))
	}
}

// Dir is where the repository ("group/sub/name") lies on disk.
func (s *Server) Dir(repo string) string {
	return filepath.Join(s.dir, filepath.FromSlash(repo)+".git")
}

// Create makes an empty bare repository that can be fetched and pushed.
func (s *Server) Create(ctx context.Context, repo string) error {
	if !filepath.IsLocal(filepath.FromSlash(repo)) {
		return fmt.Errorf("repository path %q is outside of the server's directory", repo)
	}
	if _, err := s.run(ctx, s.dir, nil, "init", "--quiet", "--bare", "--initial-branch=main", s.Dir(repo)); err != nil {
		return err
	}
	// Automatic gc would go on in the background and hold the directory after Close.
	for _, setting := range [][2]string{{"http.receivepack", "true"}, {"receive.autogc", "false"}, {"gc.auto", "0"}} {
		if _, err := s.Git(ctx, repo, "config", setting[0], setting[1]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if !s.inFlight.TryRLock() { // Close waits
		return
	}
	defer s.inFlight.RUnlock()
	if s.groups != nil && strings.HasPrefix(r.URL.Path, apiRoot) {
		s.groups.ServeHTTP(w, r)
		return
	}
	if !s.authorized(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="gitserver"`)
		http.Error(w, "HTTP Basic: Access denied", http.StatusUnauthorized)
		return
	}
	if repo, rest, is := isLFS(r.URL.Path); is && s.lfs != nil {
		s.lfs.serve(w, r, repo, rest)
		return
	}
	if s.onlyV0 {
		r.Header.Del("Git-Protocol")
	}
	if s.creation != 0 {
		served, err := s.createMissing(r)
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		case served == nil:
			http.Error(w, "The project you were looking for could not be found or you don't have permission to view it.", http.StatusNotFound)
			return
		}
		r = served
		if repo, pushes := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), ".git/"+receivePack); pushes {
			// Whoever pushed may be gone by then.
			defer func() { _ = s.chooseDefault(context.WithoutCancel(r.Context()), repo) }()
		}
	}
	if r.ContentLength < 0 {
		body, err := spool(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer func() { _ = body.Close() }()
	}
	if r.ContentLength > 0 {
		r.Body = &fullLength{ReadCloser: r.Body, left: r.ContentLength}
	}
	backend := &cgi.Handler{
		Path:   s.backend,
		Root:   "/",
		Dir:    s.dir,
		Env:    append(s.environ(), "GIT_PROJECT_ROOT="+s.dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_PROTOCOL="+r.Header.Get("Git-Protocol")),
		Logger: log.New(io.Discard, "", 0),
		Stderr: io.Discard,
	}
	backend.ServeHTTP(w, r)
}

func (s *Server) authorized(r *http.Request) bool {
	user, password, _ := r.BasicAuth()
	match := subtle.ConstantTimeCompare([]byte(user), []byte(s.auth.User)) &
		subtle.ConstantTimeCompare([]byte(password), []byte(s.auth.Password))
	return match == 1
}

// fullLength gives a request's body the length that it has announced. git-http-backend spins for
// ever when its input ends before that, as with a client that is killed in the middle of a
// push; of zeros it makes a pack that is damaged.
type fullLength struct {
	io.ReadCloser
	left int64
}

func (f *fullLength) Read(p []byte) (int, error) {
	if f.left <= 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), f.left)]
	n, err := f.ReadCloser.Read(p)
	if n == 0 && err != nil {
		clear(p)
		n = len(p)
	}
	f.left -= int64(n)
	return n, nil
}

// spool gives a chunked request a length, which CGI (RFC 3875, section 4.1.2)
// requires: "git push" sends chunks beyond http.postBuffer (1 MiB).
func spool(r *http.Request) (io.Closer, error) {
	file, err := os.CreateTemp("", "gitserver-*")
	if err != nil {
		return nil, err
	}
	// Unlinked at once, so that nothing is left behind however this ends.
	err = os.Remove(file.Name())
	if err == nil {
		r.ContentLength, err = io.Copy(file, r.Body)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	r.Body = file
	r.TransferEncoding = nil
	return file, nil
}
