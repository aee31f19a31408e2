package faults_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// sample is how much there is of everything when nothing has to be done.
type sample struct {
	Minutes float64                  `json:"minutes"` // since the beginning
	Healed  float64                  `json:"healed"`  // seconds from the end of the last fault until everything was in sync
	Faults  int                      `json:"faults"`  // so far
	Changes int                      `json:"changes"` // so far
	Workers map[stack.Role]workerUse `json:"workers"`
	WorkDir int64                    `json:"workdir"` // bytes that runs have in both work directories
	OwnRefs int                      `json:"own_refs"`
	Refs    int                      `json:"refs"`
	Objects int                      `json:"objects"` // in the bucket, without LFS objects
	Bytes   int64                    `json:"bytes"`
	LFS     int                      `json:"lfs"`
	Poll    int64                    `json:"poll"` // events in the history of the workflow that waits for catalogs
}

// workerUse is what a worker uses that was there from the beginning.
type workerUse struct {
	RSS        int64 `json:"rss"`
	Goroutines int   `json:"goroutines"`
	Files      int   `json:"files"`
}

// readings are taken for one sample, of which the least counts: what a cycle needs for a moment is not what stays.
const readings = 5

func (s *soak) takeSample(t testing.TB, healed time.Duration) {
	all := sample{
		Minutes: time.Since(s.begun).Minutes(), Healed: healed.Seconds(), Changes: s.made + int(s.changes.Load()),
		Workers: map[stack.Role]workerUse{}, WorkDir: s.workDirBytes(t),
	}
	for _, n := range s.struck {
		all.Faults += n
	}
	for _, role := range stack.Roles {
		all.Workers[role] = s.use(t, role)
	}
	all.OwnRefs, all.Refs = s.ownRefs(t)
	b, err := s.Bucket(t.Context(), stack.Producer)
	require.NoError(t, err)
	for o, err := range b.List(t.Context(), "") {
		require.NoError(t, err)
		if strings.HasPrefix(o.Key, "lfs/") {
			all.LFS++
			continue
		}
		all.Objects++
		all.Bytes += o.Size
	}
	poll, err := s.Temporal.Clients[stack.Consumer].DescribeWorkflowExecution(t.Context(), "consumer-poll", "")
	require.NoError(t, err)
	all.Poll = poll.GetWorkflowExecutionInfo().GetHistoryLength()
	s.samples = append(s.samples, all)
	t.Logf("%s: %+v", s.clock(), all)
}

func (s *soak) use(t testing.TB, role stack.Role) (least workerUse) {
	for i := range readings {
		if i > 0 {
			time.Sleep(time.Second)
		}
		now := workerUse{
			RSS:        int64(s.metric(t, role, "process_resident_memory_bytes")),
			Goroutines: int(s.metric(t, role, "go_goroutines")),
			Files:      int(s.metric(t, role, "process_open_fds")),
		}
		if i == 0 {
			least = now
		}
		least = workerUse{min(least.RSS, now.RSS), min(least.Goroutines, now.Goroutines), min(least.Files, now.Files)}
	}
	return least
}

func (s *soak) metric(t testing.TB, role stack.Role, name string) float64 {
	resp, err := http.Get(s.metrics[role])
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^` + name + `(?:\{[^}]*\})? (\S+)$`).FindSubmatch(page)
	require.NotNil(t, found, "%s in %s", name, page)
	value, err := strconv.ParseFloat(string(found[1]), 64)
	require.NoError(t, err)
	return value
}

// workDirBytes waits for what given-up attempts have left, which goes a while after their runs have ended.
func (s *soak) workDirBytes(t testing.TB) (bytes int64) {
	for deadline := time.Now().Add(leftoverPatience); ; time.Sleep(pollEvery) {
		if bytes = s.stagedBytes(t); bytes == 0 || time.Now().After(deadline) {
			return bytes
		}
	}
}

func (s *soak) stagedBytes(t testing.TB) (bytes int64) {
	for _, role := range stack.Roles {
		files, err := stack.Staged(s.WorkDir(role))
		require.NoError(t, err)
		for _, file := range files {
			if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() { // what has just gone is not there
				bytes += info.Size()
			}
		}
	}
	return bytes
}

// requireFlat compares the medians of the last quarter of samples with those of the first.
func (s *soak) requireFlat(t testing.TB) {
	rest := s.samples[1:] // the first one is of workers that have not done anything
	for _, last := range rest {
		assert.Zero(t, last.WorkDir, "bytes in work directories")
		// A branch or tag has two, a set three and one for each ref: docs/security.md.
		assert.LessOrEqual(t, last.OwnRefs, 3*20+2*last.Refs, "refs of ours")
		// It continues as new when the server says so, at 4,096 events, and its next look is over.
		assert.LessOrEqual(t, last.Poll, int64(4500), "events of the workflow that waits for catalogs")
	}
	if len(rest) < 4 {
		return
	}
	quarter := len(rest) / 4
	flat := func(what string, of func(sample) float64, factor, slack float64) {
		before, after := median(rest[:quarter], of), median(rest[len(rest)-quarter:], of)
		assert.LessOrEqual(t, after, factor*before+slack, "%s, which were %.0f", what, before)
	}
	for _, role := range stack.Roles {
		at := func(of func(workerUse) float64) func(sample) float64 {
			return func(s sample) float64 { return of(s.Workers[role]) }
		}
		// Go gives memory back as it sees fit.
		flat(fmt.Sprintf("the %s's bytes of memory", role), at(func(u workerUse) float64 { return float64(u.RSS) }), 1.25, 16<<20)
		// Temporal's SDK has as many pollers as it needs.
		flat(fmt.Sprintf("the %s's goroutines", role), at(func(u workerUse) float64 { return float64(u.Goroutines) }), 1.1, 20)
		// Connections are kept for the next request.
		flat(fmt.Sprintf("the %s's open files", role), at(func(u workerUse) float64 { return float64(u.Files) }), 1, 10)
	}
	flat("objects in the bucket", func(s sample) float64 { return float64(s.Objects) }, 1.5, 10)
	flat("bytes in the bucket", func(s sample) float64 { return float64(s.Bytes) }, 1.5, 1<<20)
}
