package activities

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// headSurvey asks a Git server for the heads of one scan. It waits less for a server that is silent, and asks a
// server less often that gets too many requests.
type headSurvey struct {
	limits   headSurveyLimits
	server   RefReader
	down     *ServerDown // nil remembers nothing
	deadline time.Time

	oneByOne chan struct{} // has whoever asks, once the server has said that it is asked too much

	mu          sync.Mutex
	heads       map[project.Branch]plan.Head // by destination
	resume      time.Time                    // not before that is anything asked
	pause       time.Duration
	lastError   error // of a project without an answer
	hasAllHeads bool  // no other project is asked

	answered, unasked, silent, unconnected, unavailable int // projects
}

func newSurvey(limits headSurveyLimits, server RefReader) *headSurvey {
	return &headSurvey{
		limits: limits, server: server, deadline: time.Now().Add(limits.Budget),
		oneByOne: make(chan struct{}, 1), heads: map[project.Branch]plan.Head{}, pause: limits.Backoff,
	}
}

// askProject reads one project's heads. It fails only when the server is down.
func (s *headSurvey) askProject(ctx context.Context, path string, q headRequest) error {
	syncs := q.of[path]
	read, err := s.read(ctx, path, syncs, q.notes)
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := !errors.Is(err, errNotAsked)
	if asked {
		s.countAnswer(err)
	} else {
		s.unasked++
	}
	read.heads(func(destination project.Branch, head plan.Head) {
		if err != nil {
			head = plan.Head{
				Err: err, Unreachable: !isDefinite(err), NotQueried: !asked, NoProject: errors.Is(err, smarthttp.ErrNotFound), MissingGroups: missingGroupsOf(err),
			}
		}
		s.heads[destination] = head
	})
	if s.answered == 0 && (s.unconnected > s.limits.MaxUnconnected || s.silent+s.unavailable > s.limits.MaxUnanswered) {
		return s.downError()
	}
	if q.enough != nil && q.enough(syncs, s.heads) {
		s.hasAllHeads = true
	}
	return nil
}

func (s *headSurvey) hasEnough() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hasAllHeads
}

// read returns what one project has. With an error, that is unknown.
func (s *headSurvey) read(ctx context.Context, path string, syncs []project.Sync, notes map[project.Branch]string) (read *projectHeads, err error) {
	for range s.limits.Tries {
		read = newProjectHeads(syncs, notes)
		leave, ok := s.awaitTurn(ctx)
		if !ok {
			return read, cmp.Or(err, errNotAsked)
		}
		err = s.readOnce(ctx, path, read)
		leave()
		if !errors.Is(err, smarthttp.ErrRateLimited) {
			return read, err
		}
		s.slowDown(err)
	}
	return read, err
}

func (s *headSurvey) readOnce(ctx context.Context, path string, read *projectHeads) error {
	s.mu.Lock()
	impatient := s.silent >= s.limits.MaxSilent
	s.mu.Unlock()
	if impatient {
		var done context.CancelFunc
		ctx, done = httpclient.WithLimit(ctx, s.limits.Impatience)
		defer done()
	}
	return s.server.EachRef(ctx, path, read.wanted, read.add)
}

// awaitTurn waits until the server may be asked again. It is false when there is not enough time left.
func (s *headSurvey) awaitTurn(ctx context.Context) (leave func(), ok bool) {
	leave = func() {}
	if s.isRateLimited() {
		s.oneByOne <- struct{}{}
		leave = func() { <-s.oneByOne }
	}
	for {
		s.mu.Lock()
		resume := s.resume
		s.mu.Unlock()
		wait := time.Until(resume)
		if ctx.Err() != nil || time.Now().Add(max(0, wait)).After(s.deadline) {
			leave()
			return nil, false
		}
		if wait <= 0 {
			return leave, true
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func (s *headSurvey) isRateLimited() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.resume.IsZero()
}

// slowDown stops all requests for as long as the server wants, or, if it does not say, for a time that doubles.
func (s *headSurvey) slowDown(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pause := retryAfter(err)
	if pause == 0 {
		if time.Now().Before(s.resume) { // it was asked before the others were told
			return
		}
		pause = s.pause
		s.pause *= 2
	}
	if resume := time.Now().Add(pause); resume.After(s.resume) {
		s.resume = resume
	}
}
