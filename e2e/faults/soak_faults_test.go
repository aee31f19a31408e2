package faults_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

const (
	// faultsPause is the longest pause between two faults.
	faultsPause = 15 * time.Second
	// strikeLimit is more than any cell's fault takes.
	strikeLimit = 15 * time.Minute
)

// lenient hears what is wrong with a fault, and not with the system: it found no moment, or there is no such thing here.
type lenient struct {
	testing.TB
	mu   sync.Mutex
	said []string
}

func (l *lenient) say(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, what)
}

func (l *lenient) Errorf(format string, args ...any) { l.say(fmt.Sprintf(format, args...)) }
func (l *lenient) Error(args ...any)                 { l.say(fmt.Sprint(args...)) }
func (l *lenient) Fail()                             { l.say("failed") }
func (l *lenient) FailNow()                          { l.say("ended"); runtime.Goexit() }
func (l *lenient) Fatalf(format string, args ...any) { l.Errorf(format, args...); runtime.Goexit() }
func (l *lenient) Fatal(args ...any)                 { l.Error(args...); runtime.Goexit() }
func (l *lenient) SkipNow()                          { l.say("skipped"); runtime.Goexit() }
func (l *lenient) Skipf(format string, args ...any)  { l.Fatalf(format, args...) }
func (l *lenient) Skip(args ...any)                  { l.Fatal(args...) }

func (l *lenient) Failed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.said) > 0
}

// soakCells are those of the matrix that need nothing of their world, by their tables. A short soak takes the fast ones.
func soakCells(short bool) (tables []string, of map[string][]cell) {
	of = map[string][]cell{}
	for _, c := range matrix() {
		if c.setup != (setup{}) || short && !c.fast {
			continue
		}
		if of[c.table] == nil {
			tables = append(tables, c.table)
		}
		of[c.table] = append(of[c.table], c)
	}
	return tables, of
}

// upsetsWorkers are tables whose faults end workers and start others: no two of them at once.
var upsetsWorkers = []string{"processes", "hosts"}

// draw takes one fault of any table, or two of different ones.
func (s *soak) draw() (cells []cell) {
	at := s.fate.IntN(len(s.tables))
	one := func(table string) cell { return s.cells[table][s.fate.IntN(len(s.cells[table]))] }
	cells = append(cells, one(s.tables[at]))
	if s.fate.IntN(4) > 0 {
		return cells
	}
	other := s.tables[s.fate.IntN(len(s.tables))]
	upset := slices.Contains(upsetsWorkers, other) && slices.Contains(upsetsWorkers, s.tables[at])
	if other == s.tables[at] || upset {
		return cells
	}
	return append(cells, one(other))
}

// strike has faults happen at once, and returns when all of them are over.
func (s *soak) strike(t testing.TB, cells []cell) {
	var all sync.WaitGroup
	begun := time.Now()
	told := make([]*lenient, len(cells))
	for i, c := range cells {
		told[i] = &lenient{TB: t}
		all.Go(func() {
			r := &trial{TB: told[i], world: s.world}
			defer r.undo()
			c.strike(r)
		})
	}
	over := make(chan struct{})
	go func() {
		all.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(strikeLimit):
		require.Fail(t, "a fault does not end", "%v", cells)
	}
	for i, c := range cells {
		s.struck[c.table]++
		t.Logf("%s: %s, %.0f s", s.clock(), c.name(), time.Since(begun).Seconds())
		if told[i].Failed() {
			s.missed++
			t.Logf("%s: %s: %v", s.clock(), c.name(), told[i].said)
		}
	}
	s.restaff(t)
}

// restaff replaces workers that a fault has left dead. The veterans have to be alive.
func (s *soak) restaff(t testing.TB) {
	for _, role := range stack.Roles {
		select {
		case <-s.veterans[role].Exited():
			require.Fail(t, "a worker ended by itself", "the %s's: %v", role, s.veterans[role].Err())
		default:
		}
		s.workers[role] = slices.DeleteFunc(s.workers[role], func(w *stack.Worker) bool {
			select {
			case <-w.Exited():
				return true
			default:
				return false
			}
		})
		if len(s.workers[role]) == 0 {
			s.startWorker(t, role)
		}
	}
}

// changeSyncs takes a guest's syncs out of the list, or puts them back.
func (s *soak) changeSyncs(t testing.TB) {
	guests := slices.DeleteFunc(slices.Clone(soakProjects), func(p *soakProject) bool { return !p.guest })
	p := guests[s.fate.IntN(len(guests))]
	if s.synced[p] {
		delete(s.synced, p)
	} else {
		s.synced[p] = true
	}
	s.writeSyncs(t)
}

func newDice(seed, of uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, of)) }
