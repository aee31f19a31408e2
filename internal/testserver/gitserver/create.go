package gitserver

import (
	"context"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Creation is when a forge creates a project that is pushed to and does not exist.
type Creation int

const (
	// OnDiscovery is GitLab's way: the answer to the question for refs is that of the new project.
	OnDiscovery Creation = iota + 1
	// OnPush is Gitea's way: the refs are those of an empty project, and the push creates it.
	OnPush
)

const (
	receivePack = "git-receive-pack"
	// emptyRepo is what OnPush shows in place of a project that does not exist.
	emptyRepo = ".empty"
)

// WithPushToCreate creates projects that are pushed to, in groups that have projects already.
func WithPushToCreate(when Creation) Option {
	return func(s *Server) { s.creation = when }
}

// createMissing creates the project that a request pushes to, and returns the request to serve. It is nil for a
// project that is neither there nor created.
func (s *Server) createMissing(r *http.Request) (*http.Request, error) {
	repo, discovers := strings.CutSuffix(r.URL.Path, "/info/refs")
	if !discovers {
		repo = path.Dir(r.URL.Path)
	}
	repo = strings.TrimSuffix(strings.TrimPrefix(repo, "/"), ".git")
	s.creating.Lock()
	defer s.creating.Unlock()
	if !filepath.IsLocal(repo) || exists(s.Dir(repo)) {
		return r, nil
	}
	pushes := path.Base(r.URL.Path) == receivePack || discovers && r.URL.Query().Get("service") == receivePack
	switch {
	case !pushes || !exists(filepath.Dir(s.Dir(repo))):
		return nil, nil
	case discovers && s.creation == OnPush:
		empty := r.Clone(r.Context())
		empty.URL.Path = "/" + emptyRepo + ".git/info/refs"
		return empty, s.createWhole(r.Context(), emptyRepo)
	}
	return r, s.createWhole(r.Context(), repo)
}

// createWhole makes a project appear at once, unless it is there.
func (s *Server) createWhole(ctx context.Context, repo string) error {
	const unfinished = ".unfinished"
	if exists(s.Dir(repo)) {
		return nil
	}
	if err := s.Create(ctx, unfinished); err != nil {
		return err
	}
	return os.Rename(s.Dir(unfinished), s.Dir(repo))
}

// chooseDefault makes the first branch that a project has its default one.
func (s *Server) chooseDefault(ctx context.Context, repo string) error {
	if _, err := s.Git(ctx, repo, "rev-parse", "--verify", "--quiet", "HEAD"); err == nil {
		return nil
	}
	branch, err := s.Git(ctx, repo, "for-each-ref", "--count=1", "--format=%(refname)", "refs/heads/")
	if err == nil && branch != "" {
		_, err = s.Git(ctx, repo, "symbolic-ref", "HEAD", branch)
	}
	return err
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
