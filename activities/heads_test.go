package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/pipeserver"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

const aCommit = "0123456789012345678901234567890123456789"

// forge is a Git server whose projects are named after how they answer: "good-1", "silent-3", "400-7". With the clock of
// testing/synctest, a scan of it takes no time of ours.
func forge(t *testing.T, answer func(w http.ResponseWriter, kind string)) *smarthttp.Client {
	t.Helper()
	client := pipeserver.Start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/group/"), "-")
		answer(w, kind)
	}))
	u, err := url.Parse(pipeserver.URL)
	require.NoError(t, err)
	return smarthttp.New(smarthttp.Options{Forge: gitlab.At(u), HTTP: client})
}

// byKind answers good projects, lets silent ones wait, and gives the others the status that they are named after.
func byKind(t *testing.T) func(w http.ResponseWriter, kind string) {
	return func(w http.ResponseWriter, kind string) {
		switch kind {
		case "good":
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			_, _ = io.WriteString(w, fmt.Sprintf("%04x%s refs/heads/main\x00\n0000", 4+len(aCommit)+len(" refs/heads/main\x00\n"), aCommit))
		case "silent":
			<-t.Context().Done()
		case "cut":
			panic(http.ErrAbortHandler)
		default:
			var code int
			_, _ = fmt.Sscan(kind, &code)
			w.WriteHeader(code)
		}
	}
}

// inNoTime runs a test on a clock that goes on when everything waits.
func inNoTime(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// projects makes as many of each kind as the pairs say.
func projects(counts map[string]int) (branches []project.Branch) {
	for kind, n := range counts {
		for i := range n {
			branches = append(branches, project.Branch{Group: "group", Name: fmt.Sprintf("%s-%d", kind, i), Branch: "main"})
		}
	}
	return branches
}

// readAll asks for all of the branches, in the order that a plan has.
func readAll(ctx context.Context, l headSurveyLimits, server RefReader, branches []project.Branch) (map[project.Branch]plan.Head, error) {
	slices.SortFunc(branches, turn.Order(1).Compare)
	return newSurvey(l, server).readHeads(ctx, headRequest{syncs: ofThemselves(branches)})
}

// ofThemselves are syncs whose source and destination are the same, as the consumer's heads are read.
func ofThemselves(branches []project.Branch) (syncs []project.Sync) {
	for _, b := range branches {
		syncs = append(syncs, project.Sync{Source: b, Destination: b})
	}
	return syncs
}

func tally(heads map[project.Branch]plan.Head) map[string]int {
	counts := map[string]int{}
	for b, head := range heads {
		kind, _, _ := strings.Cut(b.Name, "-")
		switch {
		case head.NotQueried:
			kind += " not asked"
		case head.Unreachable:
			kind += " unreachable"
		case head.Err != nil:
			kind += " failed"
		case head.Commit == aCommit:
			kind += " read"
		}
		counts[kind]++
	}
	return counts
}

// Each is what some projects do whose names anyone may have put into the bucket. None of it concerns the others.
func TestTroubleOfProjectsStaysTheirOwn(t *testing.T) {
	for name, tt := range map[string]struct{ ask, want map[string]int }{
		"names that the server answers with 400": {map[string]int{"400": 200, "good": 3}, map[string]int{"400 failed": 200, "good read": 3}},
		"422":                                    {map[string]int{"422": 200}, map[string]int{"422 failed": 200}},
		"errors of the server":                   {map[string]int{"500": 200, "good": 3}, map[string]int{"500 unreachable": 200, "good read": 3}},
		"no such projects":                       {map[string]int{"404": 200, "410": 20}, map[string]int{"404 failed": 200, "410 failed": 20}},
		"not allowed":                            {map[string]int{"403": 200, "401": 20}, map[string]int{"403 failed": 200, "401 failed": 20}},
		"a hanging few":                          {map[string]int{"silent": 9, "good": 40}, map[string]int{"silent unreachable": 9, "good read": 40}},
		"the only one hangs":                     {map[string]int{"silent": 1}, map[string]int{"silent unreachable": 1}},
		"the few there are":                      {map[string]int{"503": 8}, map[string]int{"503 unreachable": 8}},
		"a mixture":                              {map[string]int{"silent": 5, "400": 30, "503": 10, "good": 30}, map[string]int{"silent unreachable": 5, "400 failed": 30, "503 unreachable": 10, "good read": 30}},
		"many hang, many answer":                 {map[string]int{"silent": 60, "good": 60}, map[string]int{"silent unreachable": 60, "good read": 60}},
		"many answer with 503, many are good":    {map[string]int{"503": 100, "good": 200}, map[string]int{"503 unreachable": 100, "good read": 200}},
		"many connections break, most do not":    {map[string]int{"cut": 60, "good": 300}, map[string]int{"cut unreachable": 60, "good read": 300}},
		"503 for all but a few":                  {map[string]int{"503": 60, "good": 3}, map[string]int{"503 unreachable": 60, "good read": 3}},
	} {
		inNoTime(t, name, func(t *testing.T) {
			heads, err := readAll(t.Context(), scanLimits, forge(t, byKind(t)), projects(tt.ask))
			require.NoError(t, err)
			require.Equal(t, tt.want, tally(heads))
		})
	}
}

func TestServerIsDownWhenNoProjectAnswers(t *testing.T) {
	for kind, why := range map[string]error{"503": smarthttp.ErrUnavailable, "407": httpclient.ErrProxyAuth, "cut": httpclient.ErrNoConnection, "silent": httpclient.ErrSilent} {
		inNoTime(t, kind, func(t *testing.T) {
			var asked atomic.Int32
			answer := byKind(t)
			_, err := readAll(t.Context(), scanLimits, forge(t, func(w http.ResponseWriter, kind string) {
				asked.Add(1)
				answer(w, kind)
			}), projects(map[string]int{kind: 1000}))
			require.ErrorIs(t, err, ErrGitServerDown)
			require.ErrorIs(t, err, why)
			require.Less(t, asked.Load(), int32(200), "the others are spared, and so is the server")
		})
	}
	inNoTime(t, "a few projects", func(t *testing.T) {
		_, err := readAll(t.Context(), scanLimits, forge(t, byKind(t)), projects(map[string]int{"503": 17}))
		require.ErrorIs(t, err, ErrGitServerDown)
	})
	inNoTime(t, "those that were not asked any more have not answered", func(t *testing.T) {
		limits := scanLimits
		limits.Budget = 80 * time.Second
		_, err := readAll(t.Context(), limits, forge(t, byKind(t)), projects(map[string]int{"silent": 100}))
		require.ErrorIs(t, err, ErrGitServerDown)
	})
}

// The first that are silent have their time. After that, it is clear that the server has trouble.
func TestScanGetsImpatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heads, err := readAll(t.Context(), scanLimits, forge(t, byKind(t)), projects(map[string]int{"silent": 60, "good": 5}))
		require.NoError(t, err)
		patient := 0
		for b, head := range heads {
			if head.Err == nil {
				continue
			}
			var silence *httpclient.SilentError
			require.ErrorAs(t, head.Err, &silence, b)
			if silence.For > scanLimits.Impatience {
				patient++
			}
		}
		require.GreaterOrEqual(t, patient, scanLimits.MaxSilent)
		require.Less(t, patient, scanLimits.MaxSilent+scanLimits.Concurrent)
	})
}

// Thousands of projects that hang do not take thousands of times a project's limit.
func TestScanEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		heads, err := readAll(t.Context(), scanLimits, forge(t, byKind(t)), projects(map[string]int{"silent": 5000, "good": 5000}))
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(began), scanLimits.Budget+scanLimits.Impatience)
		counts := tally(heads)
		require.Len(t, heads, 10_000)
		require.Positive(t, counts["silent not asked"]+counts["good not asked"])
		for b, head := range heads {
			require.True(t, !head.NotQueried || head.Unreachable && errors.Is(head.Err, errNotAsked), b)
		}
	})
}

// A server that answers 429 is asked again, when it wants that and one question at a time.
func TestScanSlowsDown(t *testing.T) {
	for name, test := range map[string]struct {
		after string // as the server says
		pause time.Duration
	}{
		"when the server says": {"70", 70 * time.Second},
		"by itself":            {"", scanLimits.Backoff},
	} {
		inNoTime(t, name, func(t *testing.T) {
			var mu sync.Mutex
			var free time.Time
			early, limited := 0, 0
			answer := byKind(t)
			client := forge(t, func(w http.ResponseWriter, kind string) {
				mu.Lock()
				defer mu.Unlock()
				switch {
				case free.IsZero():
					free = time.Now().Add(test.pause)
					fallthrough
				case limited < scanLimits.Concurrent && time.Now().Before(free): // those that were under way
					limited++
					w.Header().Set("Retry-After", test.after)
					w.WriteHeader(http.StatusTooManyRequests)
					return
				case time.Now().Before(free):
					early++
				}
				answer(w, kind)
			})
			heads, err := readAll(t.Context(), scanLimits, client, projects(map[string]int{"good": 60}))
			require.NoError(t, err)
			require.Equal(t, map[string]int{"good read": 60}, tally(heads))
			require.Zero(t, early, "asked before the server wanted it")
			require.Positive(t, limited)
		})
	}
	inNoTime(t, "for longer than there is time", func(t *testing.T) {
		var asked atomic.Int32
		client := forge(t, func(w http.ResponseWriter, _ string) {
			asked.Add(1)
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		})
		heads, err := readAll(t.Context(), scanLimits, client, projects(map[string]int{"429": 100}))
		require.NoError(t, err)
		require.LessOrEqual(t, asked.Load(), int32(8))
		require.Equal(t, 100, tally(heads)["429 unreachable"]+tally(heads)["429 not asked"])
	})
}

// What is cut off from above is no finding about projects.
func TestScanThatIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		lost := errors.New("lost")
		client := forge(t, func(http.ResponseWriter, string) {
			cancel(lost)
			<-t.Context().Done()
		})
		_, err := readAll(ctx, scanLimits, client, projects(map[string]int{"silent": 3}))
		require.ErrorIs(t, err, lost)
	})
}

// A page of a plan that is full asks no further, and the rounds of one scan ask for each project once.
func TestScanAsksUntilThatIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		answer := byKind(t)
		client := forge(t, func(w http.ResponseWriter, kind string) {
			asked.Add(1)
			answer(w, kind)
		})
		s, q := newSurvey(scanLimits, client), headRequest{syncs: ofThemselves(projects(map[string]int{"good": 1000}))}
		want, got := 100, 0
		q.enough = func(answered []project.Sync, _ map[project.Branch]plan.Head) bool {
			got += len(answered)
			return got >= want
		}
		heads, err := s.readHeads(t.Context(), q)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(heads), want)
		require.Less(t, len(heads), want+2*scanLimits.Concurrent)
		for i, sync := range q.syncs {
			_, known := heads[sync.Destination]
			require.Equal(t, i < len(heads), known, "they are asked in their order")
		}
		q.enough = nil
		heads, err = s.readHeads(t.Context(), q)
		require.NoError(t, err)
		require.Len(t, heads, 1000)
		require.EqualValues(t, 1000, asked.Load())
	})
}
