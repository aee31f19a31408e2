package performance_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// Where the figures are kept, and the document that shows them.
const (
	figuresFile  = "../../docs/performance/figures.json"
	documentFile = "../../docs/performance.md"
)

// The ways of syncing that are compared.
const (
	thisSystem   = "this system"
	conventional = "conventional"
)

// report is all that was measured, by the workloads' IDs.
type report struct {
	Workloads map[string]result `json:"workloads"`
}

// result is what was measured of a workload.
type result struct {
	What    string `json:"what"`
	Syncs   int    `json:"syncs"` // that move in each round, or are looked at
	Pack    int64  `json:"pack_bytes,omitempty"`
	Rounds  int    `json:"rounds"`
	Commit  string `json:"commit"` // of this project
	Machine string `json:"machine"`
	Ways    []way  `json:"ways"`
}

// way is one of doing it, on one side, with the figures of each round.
type way struct {
	Way    string    `json:"way"`
	Side   string    `json:"side"`
	Rounds []figures `json:"rounds"`
}

func (r *result) add(name string, side stack.Role, f figures) {
	for i := range r.Ways {
		if r.Ways[i].Way == name && r.Ways[i].Side == string(side) {
			r.Ways[i].Rounds = append(r.Ways[i].Rounds, f)
			return
		}
	}
	r.Ways = append(r.Ways, way{name, string(side), []figures{f}})
}

func (r *result) addBoth(name string, both map[stack.Role]figures) {
	for _, role := range stack.Roles {
		r.add(name, role, both[role])
	}
}

// of returns the rounds of a way on a side; nil when it was not measured.
func (r *result) of(name, side string) []figures {
	for _, w := range r.Ways {
		if w.Way == name && w.Side == side {
			return w.Rounds
		}
	}
	return nil
}

func readReport() (all report, err error) {
	all.Workloads = map[string]result{}
	text, err := os.ReadFile(figuresFile)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return all, err
	}
	return all, json.Unmarshal(text, &all)
}

// record writes down what was measured of one workload, with -write: a whole run takes long, and may be interrupted.
func record(id string, r result) error {
	if !*write {
		return nil
	}
	all, err := readReport()
	if err != nil {
		return err
	}
	all.Workloads[id] = r
	text, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(figuresFile), 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(figuresFile, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return show(all)
}

// show writes the tables of the document anew.
func show(all report) error {
	document, err := os.ReadFile(documentFile)
	if err != nil {
		return err
	}
	shown, err := withTables(string(document), all)
	if err != nil {
		return err
	}
	return os.WriteFile(documentFile, []byte(shown), 0o600)
}

// currentCommit is this project's, without what was changed since.
func currentCommit(t testing.TB) string {
	t.Helper()
	commit, err := exec.CommandContext(t.Context(), "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil { // an archive of the sources
		return "unknown"
	}
	return strings.TrimSpace(string(commit))
}

var model = regexp.MustCompile(`(?m)^model name\s*: (.*)$`)

// thisMachine is what runs all of it.
func thisMachine(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("/proc/cpuinfo")
	require.NoError(t, err)
	name := "unknown processor"
	if match := model.FindSubmatch(text); match != nil {
		name = string(match[1])
	}
	version, err := exec.CommandContext(t.Context(), "git", "--version").Output()
	require.NoError(t, err)
	return fmt.Sprintf("%d × %s, %s, %s", runtime.NumCPU(), name, runtime.Version(), strings.TrimSpace(string(version)))
}
