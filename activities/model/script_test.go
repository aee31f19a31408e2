package model

import (
	"cmp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// script is a schedule that is written down: what a random one has found, without what it does not take.
type script struct {
	*world
	*testing.T
}

// follow plays a script, lets everything come to its end, and requires that nothing has happened that must not.
func follow(t *testing.T, s settings, play func(*script)) {
	t.Helper()
	t.Setenv("AWS_CA_BUNDLE", "") // the store is in memory
	k, folder := newKeys(t), t.TempDir()
	s.pageSize = cmp.Or(s.pageSize, 1000)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(k, folder, s)
		defer w.close()
		play(&script{w, t})
		w.finish(func() {})
		require.Empty(t, w.judge.violation)
	})
}

// begin begins a cycle.
func (s *script) begin(name string, cycle func(string)) {
	s.flows.Go(func() { cycle(name) })
	synctest.Wait()
}

// cycle is one from its beginning to its end.
func (s *script) cycle(name string, cycle func(string)) {
	s.begin(name, cycle)
	s.until(name, "its end")
}

// next is the first request of an attempt whose name begins so; nil if there is none.
func (s *script) next(who string) *request {
	for _, r := range s.requests() {
		if strings.HasPrefix(r.name, who) {
			return r
		}
	}
	return nil
}

// until lets those whose names begin so have their turns until one is about to make a request that is described so, or all are over.
func (s *script) until(who, what string) *request {
	for waited := 0; waited < 40; {
		synctest.Wait()
		switch r := s.next(who); {
		case r == nil:
			time.Sleep(250 * time.Millisecond)
			waited++
		case strings.Contains(r.String(), what):
			return r
		default:
			s.turn(r, 0, outcome{})
			waited = 0
		}
	}
	return nil
}

// Two attempts at one push, the first of which Temporal has given up: one is about to make the ref for commits that were sent ahead
// when the other has made it, and removes it before the first looks again. Nobody has hidden it.
func TestRefsThatComeAndGoAreNotHidden(t *testing.T) {
	follow(t, settings{second: "b"}, func(s *script) {
		s.commit("refs/heads/a", 100)
		s.cycle("P1", s.producerCycle)
		s.begin("C1", s.consumerCycle)
		r := s.until("C1", "Push 1: push")
		require.NotNil(t, r)
		r.again = true
		s.lose(r, false)
		second := "C1 a: Push 2"
		s.until(second, ": push")
		s.turn(r, 0, outcome{}) // the first has made the ref
		synctest.Wait()
		s.turn(s.next(second), 0, outcome{}) // which is in the way of the second
		s.until("C1 a: Push 1", "its end")
	})
}

// The destination removes what no ref leads to right after it was sent, and before the refs of the set move: all of it is sent again.
func TestSetWhoseObjectsAreCollected(t *testing.T) {
	follow(t, settings{second: "refs/tags/*"}, func(s *script) {
		s.commit("refs/tags/v1", 100)
		s.commit("refs/tags/v2", 100)
		s.cycle("P1", s.producerCycle)
		s.begin("C1", s.consumerCycle)
		moves := s.until("C1", "Push 1: push")
		require.NotNil(t, moves)
		s.turn(moves, 0, outcome{})
		require.NotNil(t, s.until("C1", "Push 1: push"))
		s.target.collect()
		s.until("C1", "its end")
		require.Equal(t, s.source.refs["refs/tags/v2"], s.target.refs["refs/tags/v2"])
	})
}

// A push that Temporal has given up arrives after a newer one, and does not take its place.
func TestGivenUpPushComesLate(t *testing.T) {
	follow(t, settings{second: "b"}, func(s *script) {
		s.commit("refs/heads/a", 100)
		s.cycle("P1", s.producerCycle)
		s.cycle("C1", s.consumerCycle)
		s.commit("refs/heads/a", 100)
		s.cycle("P2", s.producerCycle)
		s.begin("C2", s.consumerCycle)
		late := s.until("C2", "a: Push 1: push")
		require.NotNil(t, late)
		late.again = true
		s.lose(late, false)
		s.until("C2 a: Push 2", "its end")
		s.commit("refs/heads/a", 100)
		s.cycle("P3", s.producerCycle)
		s.cycle("C3", s.consumerCycle)
		require.Equal(t, s.source.refs["refs/heads/a"], s.target.refs["refs/heads/a"])
		s.turn(late, 0, outcome{})
		synctest.Wait()
		require.Equal(t, s.source.refs["refs/heads/a"], s.target.refs["refs/heads/a"])
	})
}
