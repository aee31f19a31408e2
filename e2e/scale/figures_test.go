package scale_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
)

// figures are what one cycle has cost.
type figures struct {
	Test     string                    `json:"test"`
	Cycle    string                    `json:"cycle"` // such as "producer, all moved"
	Syncs    int                       `json:"syncs"`
	Moved    int                       `json:"moved"`
	Wall     float64                   `json:"wall_seconds"`
	CPU      map[string]float64        `json:"cpu_seconds"` // by process
	Peak     map[string]int64          `json:"peak_bytes"`  // likewise
	Requests map[string]map[string]int `json:"requests"`    // by server and kind
	Histories
}

var (
	allFigures   []figures
	allFiguresMu sync.Mutex
)

// record shows what was measured, and keeps it for the file.
func record(t testing.TB, f figures) {
	t.Helper()
	f.Test = t.Name()
	allFiguresMu.Lock()
	allFigures = append(allFigures, f)
	allFiguresMu.Unlock()
	t.Logf("| %s | %d of %d | %.1f s | %s | %s | %s | %s |", f.Cycle, f.Moved, f.Syncs, f.Wall,
		listed(f.CPU, func(s float64) string { return fmt.Sprintf("%.1f s", s) }),
		listed(f.Peak, func(n int64) string { return humanize.Bytes(uint64(n)) }), f.Histories,
		listed(f.Requests, func(kinds map[string]int) string {
			return "(" + listed(kinds, func(n int) string { return fmt.Sprint(n) }) + ")"
		}))
}

func listed[V any](values map[string]V, text func(V) string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		parts = append(parts, name+" "+text(values[name]))
	}
	return strings.Join(parts, ", ")
}

func writeFigures(file string) error {
	if file == "" {
		return nil
	}
	text, err := json.MarshalIndent(allFigures, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}

// meter measures the processes that take part in a cycle.
type meter struct {
	processes map[string][]int // IDs, by what they are
	// others are what is measured in another way, such as git's processes, that come and go.
	others map[string]func(testing.TB) time.Duration
	take   func() map[string]map[string]int // requests since it was called last
}

// measure has a cycle run, and returns what that took.
func (m meter) measure(t testing.TB, do func()) (f figures) {
	t.Helper()
	f.CPU, f.Peak = map[string]float64{}, map[string]int64{}
	add := func(sign float64) {
		for name, pids := range m.processes {
			for _, pid := range pids {
				f.CPU[name] += sign * rusage.CPU(t, pid).Seconds()
			}
		}
		for name, used := range m.others {
			f.CPU[name] += sign * used(t).Seconds()
		}
	}
	for _, pids := range m.processes {
		for _, pid := range pids {
			rusage.ResetPeak(t, pid)
		}
	}
	m.take()
	add(-1)
	began := time.Now()
	do()
	f.Wall = time.Since(began).Seconds()
	add(1)
	f.Requests = m.take()
	for name, pids := range m.processes {
		for _, pid := range pids {
			f.Peak[name] = max(f.Peak[name], rusage.PeakMemory(t, pid))
		}
	}
	return f
}

// spread is the largest and the middle of some numbers.
type spread struct {
	Median int `json:"median"`
	Max    int `json:"max"`
}

func spreadOf(numbers []int) (s spread) {
	if len(numbers) == 0 {
		return s
	}
	sorted := slices.Sorted(slices.Values(numbers))
	return spread{Median: sorted[len(sorted)/2], Max: sorted[len(sorted)-1]}
}

func (s spread) String() string {
	return cmp.Or(map[bool]string{true: fmt.Sprint(s.Max)}[s.Median == s.Max], fmt.Sprintf("%d (at most %d)", s.Median, s.Max))
}

// counted is a number of things, in words.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// parallel has tests run side by side when nobody wants to know what they take.
func parallel(t *testing.T) {
	t.Helper()
	if *figuresFile == "" {
		t.Parallel()
	}
}
