package scale_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/projects"
	"github.com/app-sre/git-partition-sync/internal/testserver/requests"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// answerTime is how long the Git servers take for a pack, so that workers wait for them as for a forge, and not for this machine's
// processors.
const answerTime = 500 * time.Millisecond

// Workers of a side share the load, and none is ever at work on what another one is.
func TestWorkersShare(t *testing.T) {
	parallel(t)
	s := begin(t, *sharedSyncs, "MAX_CONCURRENT=2")
	slow := func(kind string, r *http.Request) {
		if kind == requests.Fetch || kind == requests.Push {
			select {
			case <-r.Context().Done():
			case <-time.After(answerTime):
			}
		}
	}
	s.source.delay(slow)
	s.destination.delay(slow)
	limits := contract.Limits{MaxInFlight: 64}
	alone := map[stack.Role]float64{}
	for number, workers := range []int{1, 2, 4} {
		for len(s.workers[stack.Producer]) < workers {
			s.addWorkers()
		}
		s.move(len(s.syncs), number+1)
		both, runs := s.cycles().both(counted(workers, "worker"), len(s.syncs), limits)
		require.NoError(t, onceAtATime(append(spansOf(runs), s.pushes()...)))
		for role, f := range both {
			t.Logf("%s, %s: %.1f syncs a second", role, counted(workers, "worker"), float64(f.Moved)/f.Wall)
			if workers == 1 {
				alone[role] = f.Wall
			}
			if workers == 4 && len(s.syncs) >= 100 { // else it takes longer to begin than to work
				require.Less(t, f.Wall, alone[role]/1.5, "%s", role)
			}
			at := hands(runs, roles[role].Child)
			require.GreaterOrEqual(t, len(at), min(2, workers), "%s: %v", role, at) // a few are done before all have begun
		}
	}
	s.together(limits)
}

// together has two cycles of each side at once, each of which wants all syncs to move.
func (s sides) together(limits contract.Limits) {
	s.Helper()
	s.move(len(s.syncs), 10)
	for _, role := range stack.Roles {
		since := time.Now()
		var group sync.WaitGroup
		for _, id := range []string{"one", "two"} {
			cycle := s.cycles().start(role, id, limits)
			group.Go(func() { _ = cycle.Get(s.Context(), nil) }) // what the other was faster to do may fail
		}
		group.Wait()
		_, runs := runsSince(s, s.Temporal.Clients[role], since, len(s.syncs)+2)
		require.NoError(s, onceAtATime(append(spansOf(runs), s.pushes()...)))
	}
	require.Equal(s, len(s.syncs), projects.InSync(s, s.Stack, s.syncs))
}

// hands are the workers that were at work on workflows of a type.
func hands(runs []execution, workflow string) map[string]int {
	hands := map[string]int{}
	for _, r := range runs {
		if r.info.GetType().GetName() == workflow {
			for _, s := range r.work {
				hands[s.by]++
			}
		}
	}
	return hands
}

func spansOf(runs []execution) (all []span) {
	for _, r := range runs {
		all = append(all, r.work...)
	}
	return all
}

// pushes are those that the destinations have seen.
func (s sides) pushes() []span {
	s.destination.mu.Lock()
	defer s.destination.mu.Unlock()
	return append([]span(nil), s.destination.spans...)
}
