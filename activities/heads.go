package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

var (
	// ErrGitServerDown says that no project answers, whichever is asked.
	ErrGitServerDown = errors.New("the git server is down")
	// errNotAsked is the reason of the projects for which a scan had no time left.
	errNotAsked = errors.New("not asked: others took all of the scan's time")
)

// headSurveyLimits are how much a scan asks of a Git server.
type headSurveyLimits struct {
	// Concurrent is how many projects' references are read at a time.
	Concurrent int
	// Budget is the time in which questions are asked. It leaves the scan time for the bucket.
	Budget time.Duration
	// MaxSilent is after how many silent projects the others get only Impatience to answer: most that
	// answer at all do so at once.
	MaxSilent  int
	Impatience time.Duration
	// MaxUnconnected is after how many failed connections, and MaxUnanswered after how many other projects
	// without an answer, the server is down if no project has answered.
	MaxUnconnected, MaxUnanswered int
	// Backoff is the first pause after an answer of 429 that does not say how long to wait.
	Backoff time.Duration
	// Tries is how often a project is asked that is answered with 429.
	Tries int
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
}

// headRequest is what a survey is to find out.
type headRequest struct {
	branches []project.Branch // in the order in which they are asked for
	// notes are refs, one of a branch, that are looked for along with it.
	notes map[project.Branch]string
	// enough tells, after each project's answer, whether no other has to be asked. Nil never does. Calls do not overlap.
	enough func(answered []project.Branch, heads map[project.Branch]plan.Head) bool

	of map[string][]project.Branch // by project
}

// readHeads asks the Git server for the heads of branches, one discovery for each project, until that is enough. It returns all
// that the survey has found so far. One project's failure is noted in its heads; only a server that is down fails all.
func (s *headSurvey) readHeads(ctx context.Context, q headRequest) (map[project.Branch]plan.Head, error) {
	var paths []string
	q.of, s.hasAllHeads = map[string][]project.Branch{}, false
	asked := map[project.Branch]bool{}
	for _, b := range q.branches {
		if _, known := s.heads[b]; known || asked[b] {
			continue
		}
		asked[b] = true
		if q.of[b.Path()] == nil {
			paths = append(paths, b.Path())
		}
		q.of[b.Path()] = append(q.of[b.Path()], b)
	}
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(s.limits.Concurrent)
	for _, path := range paths {
		if s.hasEnough() {
			break
		}
		group.Go(func() error { return s.askProject(asking, path, q) })
	}
	err := group.Wait()
	if ctx.Err() != nil { // then everything failed, and nothing of it is the server's fault
		return nil, context.Cause(ctx)
	}
	if err == nil && s.answered == 0 && s.unasked+s.silent+s.unconnected+s.unavailable > s.limits.MaxUnconnected {
		err = s.downError()
	}
	return s.heads, err
}

func refNames(branches []project.Branch, notes map[project.Branch]string) (names []string) {
	for _, b := range branches {
		names = append(names, b.Ref())
		if note := notes[b]; note != "" {
			names = append(names, note)
		}
	}
	return names
}

// isDefinite tells the failures that will be the same when asked again.
func isDefinite(err error) bool {
	return isAnyOf(err, smarthttp.ErrUnauthorized, smarthttp.ErrForbidden, smarthttp.ErrNotFound, smarthttp.ErrRejected,
		smarthttp.ErrObjectFormat, smarthttp.ErrNotGit, smarthttp.ErrRedirected, smarthttp.ErrMovedElsewhere)
}

func isAnyOf(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// downError is why a scan is given up.
func (s *headSurvey) downError() error {
	return fmt.Errorf("%w: none of %d projects has answered, the last of them: %w", ErrGitServerDown, s.unconnected+s.unavailable+s.silent, s.lastError)
}

// countAnswer notes what a project's answer, or the lack of one, says about the server. Whatever it answers,
// but for what a proxy answers in its place, it is not down.
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
