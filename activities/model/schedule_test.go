package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

var (
	errKilled = errors.New("the worker was killed")
	// errLost is what a workflow is told of an attempt whose worker no longer says that it is alive.
	errLost = errors.New("the worker was lost")
	// errBroken is a request that did not reach its server, or whose answer was lost.
	errBroken = fmt.Errorf("%w: connection reset by peer", httpclient.ErrNoConnection)
)

// begins is what the first turn of an attempt is for.
const begins = "begins"

// attempt is one at an activity, on one worker. It stops before each of its requests until the schedule lets it go on.
type attempt struct {
	name   string // such as "produce 3 b: Upload"
	worker int
	// lost is closed when Temporal gives the attempt up. It may go on nevertheless.
	lost   chan struct{}
	isLost bool
	killed bool
	// again says that the activity is tried again on the same worker when this attempt is lost.
	again bool
	// looked is how many states the store had when the attempt began its last look at it, 0 if it has not; looking is during that.
	looked  int
	looking bool
	// overtakenBy are the objects of the same destination that others have put into the bucket between that look and its own.
	overtakenBy []string
}

// request is one that waits for its turn.
type request struct {
	*attempt
	what string
	turn chan outcome
}

// flow is the name of the workflow that the request is made for.
func (r *request) flow() string {
	flow, _, _ := strings.Cut(r.name, ":")
	return flow
}

// onlyReads tells whether the request changes neither the bucket nor the destination.
func (r *request) onlyReads() bool {
	return !strings.HasPrefix(r.what, "PUT") && !strings.HasPrefix(r.what, "DELETE") && r.what != "push"
}

func (r *request) String() string { return r.name + ": " + r.what }

// outcome is what becomes of a request.
type outcome struct {
	refused error // it does not reach the server
	lost    error // its answer does not come back
	lag     int   // of a listing: of how many changes ago it is
	cut     bool  // of a listing: it ends early
}

func (o outcome) String() string {
	words := ""
	if o.refused != nil {
		words += ", which does not arrive"
	}
	if o.lost != nil {
		words += ", whose answer is lost"
	}
	if o.cut {
		words += ", which is cut off"
	}
	if o.lag > 0 {
		words += fmt.Sprintf(", as of %d changes ago", o.lag)
	}
	return words
}

// schedule has all requests that wait.
type schedule struct {
	mu      sync.Mutex
	waiting []*request
	ended   bool     // all attempts are killed
	current *request // the one that had its turn last
}

// ask waits until the schedule lets a request go on.
func (s *schedule) ask(a *attempt, what string) outcome {
	s.mu.Lock()
	if a.killed || s.ended {
		s.mu.Unlock()
		return outcome{refused: errKilled}
	}
	r := &request{attempt: a, what: what, turn: make(chan outcome, 1)}
	s.waiting = append(s.waiting, r)
	s.mu.Unlock()
	return <-r.turn
}

// requests are those that wait, in an order that does not depend on who was first.
func (s *schedule) requests() []*request {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortStableFunc(s.waiting, func(a, b *request) int { return cmp.Compare(a.String(), b.String()) })
	return slices.Clone(s.waiting)
}

// answer lets a request go on.
func (s *schedule) answer(r *request, o outcome) {
	s.mu.Lock()
	s.waiting = slices.DeleteFunc(s.waiting, func(other *request) bool { return other == r })
	s.current = r
	s.mu.Unlock()
	r.turn <- o
}

// turn lets a request go on. If an attempt begins that any worker may take, that is the given one.
func (s *schedule) turn(r *request, worker int, o outcome) {
	if r.what == begins && r.worker < 0 {
		r.worker = worker
	}
	s.answer(r, o)
}

// finish lets all requests have their turn, until nobody asks for anything, not even later.
func (s *schedule) finish(looked func()) {
	for still := 0; still < 40; still++ {
		synctest.Wait()
		for waiting := s.requests(); len(waiting) > 0; waiting = s.requests() {
			s.turn(waiting[0], 0, outcome{})
			synctest.Wait()
			looked()
			still = 0
		}
		time.Sleep(250 * time.Millisecond)
	}
}

// lose has Temporal give up the attempt of a request. If it is killed, it does nothing more; else it goes on some time.
func (s *schedule) lose(r *request, kill bool) {
	if !r.isLost {
		r.isLost = true
		close(r.lost)
	}
	if !kill {
		return
	}
	s.mu.Lock()
	r.killed = true
	s.mu.Unlock()
	for _, other := range s.requests() {
		if other.attempt == r.attempt {
			s.answer(other, outcome{refused: errKilled})
		}
	}
}

// end kills all that is left.
func (s *schedule) end() {
	s.mu.Lock()
	s.ended = true
	waiting := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	for _, r := range waiting {
		r.turn <- outcome{refused: errKilled}
	}
}

type attemptKey struct{}

// attemptOf is the attempt that a context belongs to; nil if it is nobody's.
func attemptOf(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}

// pass has a request of whatever attempt the context belongs to wait for its turn, and then sends it.
func (s *schedule) pass(ctx context.Context, what string, send func(outcome) error) error {
	a := attemptOf(ctx)
	if a == nil {
		return fmt.Errorf("%s: nobody's request", what)
	}
	o := s.ask(a, what)
	if o.refused != nil {
		return o.refused
	}
	if err := send(o); err != nil {
		return err
	}
	return o.lost
}
