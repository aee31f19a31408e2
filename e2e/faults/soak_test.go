package faults_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/port"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

var (
	soakTime = flag.Duration("soak", 45*time.Second, "how long the soak lasts; a short one has the fast faults only")
	soakSeed = flag.Uint64("seed", 1, "what the soak's faults and changes are drawn by")
)

const (
	// shortSoak is too short for more than a few samples.
	shortSoak = 10 * time.Minute
	// soakSamples are how many samples a soak takes, besides the one at its beginning.
	soakSamples = 12
	// soakPatience is longer than any sync is held back, whatever it failed with.
	soakPatience = 10 * time.Minute
)

// soak is a world in which something goes wrong most of the time.
type soak struct {
	*world
	begun time.Time
	// veterans are workers that no fault ends, one of each side, and metrics where they tell how they are.
	veterans map[stack.Role]*stack.Worker
	metrics  map[stack.Role]string
	// synced are projects whose syncs are in the list now.
	synced  map[*soakProject]bool
	changed map[*soakProject]time.Time
	// dice decide about changes, and fate about faults.
	dice, fate *rand.Rand
	tables     []string
	cells      map[string][]cell
	made       int            // changes
	struck     map[string]int // faults, by tables
	missed     int            // of these, found no moment
	samples    []sample
}

// TestSoak has faults and changes of all kinds happen at random, and now and then, when they are over, all be well with nobody's
// help, and nothing have grown. The same seed draws the same, at other moments: make soak SEED=…
func TestSoak(t *testing.T) {
	t.Parallel()
	s := beginSoak(t)
	defer s.world.end()
	defer s.dismiss()
	s.calm(t)
	spell := max(*soakTime/soakSamples, min(*soakTime, 40*time.Second))
	for end := time.Now().Add(*soakTime); time.Now().Before(end); s.calm(t) {
		s.storm(t, min(spell, time.Until(end)))
	}
	for role, veteran := range s.veterans {
		require.NoError(t, veteran.Stop(), "the %s's worker", role)
	}
	total := 0
	for _, n := range s.struck {
		total += n
	}
	assert.LessOrEqual(t, 3*s.missed, total, "faults that found no moment")
	s.report(t)
	s.requireFlat(t)
}

func beginSoak(t *testing.T) *soak {
	s := &soak{
		world: begin(t, setup{}), begun: time.Now(),
		veterans: map[stack.Role]*stack.Worker{}, metrics: map[stack.Role]string{},
		synced: map[*soakProject]bool{}, changed: map[*soakProject]time.Time{}, struck: map[string]int{},
		dice: newDice(*soakSeed, 1), fate: newDice(*soakSeed, 2),
	}
	t.Logf("seed %d", *soakSeed)
	s.tables, s.cells = soakCells(*soakTime < shortSoak)
	for _, role := range stack.Roles {
		address, err := port.Free()
		require.NoError(t, err)
		s.metrics[role] = "http://" + address + "/metrics"
		s.veterans[role] = s.startWorker(t, role, "HEALTH_ADDRESS="+address)
		s.workers[role] = s.workers[role][:1]
	}
	s.createProjects(t)
	return s
}

// dismiss ends the veterans, whom the world does not know.
func (s *soak) dismiss() {
	for _, veteran := range s.veterans {
		_ = veteran.Stop()
	}
}

func (s *soak) clock() string { return time.Since(s.begun).Round(time.Second).String() }

// storm lets faults happen, one after the other and at times two at once, while everything moves.
func (s *soak) storm(t *testing.T, spell time.Duration) {
	stopWriter, stopChanges := s.startWriter(t), s.startChanges(t)
	defer stopWriter()
	defer stopChanges()
	for end := time.Now().Add(spell); time.Now().Before(end); {
		if s.fate.IntN(3) == 0 {
			s.changeSyncs(t)
		}
		s.strike(t, s.draw())
		time.Sleep(time.Duration(s.fate.Int64N(int64(faultsPause))))
	}
}

// calm waits, after all faults, until all is well, and sees how much there is of everything.
func (s *soak) calm(t *testing.T) {
	lifted := time.Now()
	s.awaitAllInSync(t)
	healed := time.Since(lifted)
	t.Logf("%s: all in sync after %.1f s", s.clock(), healed.Seconds())
	s.shrink(t)
	s.awaitAllInSync(t)
	s.requireTrueHistory(t)
	s.requireTrueStates(t)
	s.requireNothingLeft(t)
	s.restaff(t)
	if t.Failed() {
		t.FailNow()
	}
	s.takeSample(t, healed)
}

// awaitAllInSync is awaitInSync for the soak's own projects, too.
func (s *soak) awaitAllInSync(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(soakPatience)
	s.awaitInSync(t, soakPatience)
	for {
		unlike := s.unlike()
		if len(unlike) == 0 {
			return
		}
		if time.Now().After(deadline) {
			require.Fail(t, "not in sync", "after %s: %s\n%s", soakPatience, strings.Join(unlike, "; "), s.told(t))
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// shrink gives the branches that every world has a new history each, so that what is in the bucket does not grow with the time:
// faults and the writer only ever add to them.
func (s *soak) shrink(t testing.TB) {
	s.moving.Lock()
	defer s.moving.Unlock()
	for repo, branches := range repositories {
		for _, branch := range branches {
			commit, err := s.Source.Draft(t.Context(), repo, nil, map[string]string{"file": fmt.Sprint(s.fate.Uint64())}, "anew")
			require.NoError(t, err)
			require.NoError(t, s.Source.UpdateRefs(t.Context(), repo, "update refs/heads/"+branch+" "+commit))
		}
	}
}
