package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlabapi"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

var (
	// ErrGitServerDown says that no project on the server answers.
	ErrGitServerDown = errors.New("the git server is down")
	// errNotAsked is the error of projects that a scan had no time for.
	errNotAsked = errors.New("not asked: others took all of the scan's time")
)

// headSurveyLimits bound what a scan asks of a Git server.
type headSurveyLimits struct {
	// Concurrent is how many projects are asked at a time.
	Concurrent int
	// Budget is the time for asking. It leaves the scan time for the bucket.
	Budget time.Duration
	// MaxSilent is how many projects may be silent before the others get only Impatience to answer. Most projects that
	// answer at all do so at once.
	MaxSilent  int
	Impatience time.Duration
	// MaxUnconnected is how many connections may fail, and MaxUnanswered how many other projects may not answer, before
	// the server counts as down. It never does once a project has answered.
	MaxUnconnected, MaxUnanswered int
	// Backoff is the first pause after an answer of 429 that names no time.
	Backoff time.Duration
	// Tries is how often a project is asked that answers with 429.
	Tries int
	// Probes is how many projects are asked first of a server that did not answer in the scan before.
	Probes int
	// Patience is at how many attempts of a scan even a few projects without an answer count as a server that is down, so that
	// a server that is back within seconds costs seconds.
	Patience int
}

var scanLimits = headSurveyLimits{
	Concurrent:     8,
	Budget:         8 * time.Minute,
	MaxSilent:      16,
	Impatience:     5 * time.Second,
	MaxUnconnected: 16,
	MaxUnanswered:  64,
	Backoff:        5 * time.Second,
	Tries:          4,
	Probes:         2,
	Patience:       6,
}

// headRequest says which heads to read.
type headRequest struct {
	// syncs are in the order in which their sources are read. Destinations only say whose head it is, and which refs of
	// a set can be there.
	syncs []project.Sync
	// notes are further refs to read, by destination. Of a set, it is what such a ref's name begins with.
	notes map[project.Branch]string
	// enough is called after each project's answer, and tells whether to ask no further project. Nil asks all. Its calls
	// do not overlap.
	enough func(answered []project.Sync, heads map[project.Branch]plan.Head) bool
	// allPaused tells that nothing moves, whatever the answers are.
	allPaused bool

	of map[string][]project.Sync // by project of the source
}

// readHeads reads the heads of the syncs' sources from the Git server, with one request for each project, until the
// request has enough. It returns all heads that the survey has read so far, by destination. If one project fails, its
// heads say so. Only if the server is down, readHeads fails.
func (s *headSurvey) readHeads(ctx context.Context, q headRequest) (map[project.Branch]plan.Head, error) {
	var paths []string
	q.of, s.hasAllHeads = map[string][]project.Sync{}, false
	asked := map[project.Branch]bool{}
	for _, sync := range q.syncs {
		if _, known := s.heads[sync.Destination]; known || asked[sync.Destination] {
			continue
		}
		asked[sync.Destination] = true
		path := sync.Source.Path()
		if q.of[path] == nil {
			paths = append(paths, path)
		}
		q.of[path] = append(q.of[path], sync)
	}
	first, rest := s.probes(paths)
	err := s.ask(ctx, first, q)
	if len(first) > 0 && err == nil && s.answered == 0 && (len(paths) > s.limits.MaxUnconnected || s.isPatient(ctx, q)) {
		err = s.downError()
	}
	if err == nil {
		err = s.ask(ctx, rest, q)
	}
	if ctx.Err() != nil { // then every request failed, and the server is not to blame
		return nil, context.Cause(ctx)
	}
	unanswered := s.unasked + s.silent + s.unconnected + s.unavailable
	if err == nil && s.answered == 0 && (unanswered > s.limits.MaxUnconnected || s.unconnected+s.unavailable > 0 && s.isPatient(ctx, q)) {
		err = s.downError()
	}
	s.down.note(s.answered > 0, unanswered > 0)
	return s.heads, err
}

// ask asks projects, a bounded number at a time, until that is enough.
func (s *headSurvey) ask(ctx context.Context, paths []string, q headRequest) error {
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(s.limits.Concurrent)
	for _, path := range paths {
		if s.hasEnough() {
			break
		}
		group.Go(func() error { return s.askProject(asking, path, q) })
	}
	return group.Wait()
}

// isDefinite tells errors that will be the same when the server is asked again.
func isDefinite(err error) bool {
	return isAnyOf(err, smarthttp.ErrUnauthorized, smarthttp.ErrForbidden, smarthttp.ErrNotFound, smarthttp.ErrRejected,
		smarthttp.ErrObjectFormat, smarthttp.ErrNotGit, smarthttp.ErrRedirected, smarthttp.ErrMovedElsewhere, gitlabapi.ErrRefused, gitlabapi.ErrNotGitLab)
}

func isAnyOf(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// downError says why a scan is given up.
func (s *headSurvey) downError() error {
	return fmt.Errorf("%w: none of %d projects has answered, the last of them: %w", ErrGitServerDown, s.unconnected+s.unavailable+s.silent, s.lastError)
}

// countAnswer counts what a project's answer, or its absence, says about the server. Any answer shows that the server
// is up, except the answers that a proxy gives in its place.
func (s *headSurvey) countAnswer(err error) {
	switch {
	case isAnyOf(err, httpclient.ErrSilent):
		s.silent++
	case isAnyOf(err, httpclient.ErrNoConnection, httpclient.ErrProxyAuth):
		s.unconnected++
	case isAnyOf(err, smarthttp.ErrUnavailable):
		s.unavailable++
	default:
		s.answered++
		return
	}
	s.lastError = err
}
