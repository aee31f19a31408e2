package activities

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// A server that did not answer a scan is asked for two projects by the next ones, and for all once it answers.
func TestServerThatIsDownIsAskedLittle(t *testing.T) {
	for kind, other := range map[string]string{"503": "good", "cut": "404"} {
		inNoTime(t, kind, func(t *testing.T) {
			var asked, up atomic.Int32
			answer := byKind(t)
			client := forge(t, func(w http.ResponseWriter, kind string) {
				asked.Add(1)
				if up.Load() == 1 {
					kind = other
				}
				answer(w, kind)
			})
			branches, down := projects(map[string]int{kind: 1000}), &ServerDown{}
			scan := func() (map[project.Branch]plan.Head, int32, error) {
				before := asked.Load()
				s := newSurvey(scanLimits, client)
				s.down = down
				heads, err := s.readHeads(t.Context(), headRequest{syncs: ofThemselves(branches)})
				return heads, asked.Load() - before, err
			}
			_, first, err := scan()
			require.ErrorIs(t, err, ErrGitServerDown)
			require.Greater(t, first, int32(scanLimits.MaxUnconnected))
			for range 3 {
				_, again, err := scan()
				require.ErrorIs(t, err, ErrGitServerDown)
				require.GreaterOrEqual(t, again, int32(scanLimits.Probes))
				// net/http asks once more for each connection that breaks and was there already.
				require.LessOrEqual(t, again, int32(scanLimits.Probes*(1+scanLimits.Concurrent)))
			}
			up.Store(1)
			for range 2 {
				heads, all, err := scan()
				require.NoError(t, err)
				require.EqualValues(t, 1000, all, "each once")
				require.Len(t, heads, 1000)
			}
			require.False(t, down.down.Load())
		})
	}
}

// Where no other can answer, a project is not taken for the server for ever: those that do not answer are left for the next cycle.
func TestFewProjectsThatDoNotAnswer(t *testing.T) {
	inNoTime(t, "not at work for Temporal", func(t *testing.T) {
		s := newSurvey(scanLimits, forge(t, byKind(t)))
		s.down = &ServerDown{}
		for range 2 {
			heads, err := s.readHeads(t.Context(), headRequest{syncs: ofThemselves(projects(map[string]int{"503": 5}))})
			require.NoError(t, err)
			require.Equal(t, map[string]int{"503 unreachable": 5}, tally(heads))
			require.True(t, s.down.down.Load())
		}
	})
}

// Temporal tries a scan again, of however few projects, before it leaves them for the next cycle.
func TestScanWaitsForAServer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("x")
	r.produce()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	r.consumer.Destination = smarthttp.New(smarthttp.Options{Forge: gitlab.At(u), HTTP: server.Client()})
	_, err = execute(r, r.consumer.PlanPushes, PlanRequest{})
	require.ErrorContains(t, err, ErrGitServerDown.Error())
}

// A bucket that does not answer is asked less and less, down to once a minute, unless that is how often it is asked anyway.
func TestPollSlowsDown(t *testing.T) {
	t.Parallel()
	for interval, want := range map[time.Duration][]time.Duration{
		10 * time.Second: {10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute},
		5 * time.Minute:  {5 * time.Minute, 5 * time.Minute},
	} {
		w := catalogWaiter{Consumer: &Consumer{PollInterval: interval}}
		for _, pause := range want {
			require.Equal(t, pause, w.pause())
			w.failed++
		}
	}
}
