package faults_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// The soak as it was seen last, and its place in the document.
const (
	soakFile  = "testdata/soak.json"
	soakBegin = "<!-- made by make soak: -->\n"
	soakEnd   = "<!-- end of what make soak made -->\n"
)

// soakResult is what was seen of a soak.
type soakResult struct {
	Seed    uint64         `json:"seed"`
	Faults  map[string]int `json:"faults"` // by tables
	Missed  int            `json:"missed"`
	Samples []sample       `json:"samples"`
}

// report shows all samples, and writes them down if it is asked to.
func (s *soak) report(t testing.TB) {
	seen := soakResult{Seed: *soakSeed, Faults: s.struck, Missed: s.missed, Samples: s.samples}
	text, err := json.MarshalIndent(seen, "", "\t")
	require.NoError(t, err)
	t.Logf("\n%s\n%s", seen, text)
	if !*write || t.Failed() {
		return
	}
	require.NoError(t, os.WriteFile(soakFile, append(text, '\n'), 0o600))
	document, err := os.ReadFile(documentFile)
	require.NoError(t, err)
	shown, err := between(string(document), soakBegin, soakEnd, seen.String())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(documentFile, []byte(shown), 0o600))
}

func (r soakResult) String() string {
	var text strings.Builder
	last := r.Samples[len(r.Samples)-1]
	fmt.Fprintf(&text, "Seed %d: in %.0f minutes %d changes and %d faults,", r.Seed, last.Minutes, last.Changes, last.Faults)
	var tables []string
	for table, n := range r.Faults {
		tables = append(tables, fmt.Sprintf("%d of %s", n, table))
	}
	slices.Sort(tables)
	fmt.Fprintf(&text, " %s; %d of them found no moment.\n\n", strings.Join(tables, ", "), r.Missed)
	text.WriteString("| minute | faults so far | in sync after | producer: MiB, goroutines, files | consumer: MiB, goroutines, files | bytes in `WORKDIR` | refs of ours, of syncs | objects, KiB | LFS objects | events of `consumer-poll` |\n")
	text.WriteString("|---|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range r.Samples {
		fmt.Fprintf(&text, "| %.0f | %d | %.0f s | %s | %s | %d | %d, %d | %d, %d | %d | %d |\n", s.Minutes, s.Faults, s.Healed,
			s.Workers[stack.Producer], s.Workers[stack.Consumer], s.WorkDir, s.OwnRefs, s.Refs, s.Objects, s.Bytes>>10, s.LFS, s.Poll)
	}
	return text.String()
}

func (u workerUse) String() string {
	return fmt.Sprintf("%d, %d, %d", u.RSS>>20, u.Goroutines, u.Files)
}

func median(samples []sample, of func(sample) float64) float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// TestSoakDocument: the document shows the soak that was seen last, if any was.
func TestSoakDocument(t *testing.T) {
	var shown string
	text, err := os.ReadFile(soakFile)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
		var seen soakResult
		require.NoError(t, json.Unmarshal(text, &seen))
		shown = seen.String()
	}
	document, err := os.ReadFile(documentFile)
	require.NoError(t, err)
	want, err := between(string(document), soakBegin, soakEnd, shown)
	require.NoError(t, err)
	require.Equal(t, want, string(document))
}
