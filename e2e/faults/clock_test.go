package faults_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clockWorker is a worker of the same code, but for the wall clock: it is ahead by as many seconds as the file says that CLOCK_FILE names.
var clockWorker = sync.OnceValues(func() (binary string, err error) {
	dir := filepath.Join(tempDir, "clock")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	overlay, err := writeClockOverlay(dir)
	if err != nil {
		return "", err
	}
	built := binaries
	err = built.Build(dir, "-overlay", overlay, "./worker")
	return built.Worker, err
})

// writeClockOverlay writes what go build takes instead of the files that there are, and returns the file that says so.
func writeClockOverlay(dir string) (overlay string, err error) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	library := filepath.Join(strings.TrimSpace(string(out)), "src", "time")
	text, err := os.ReadFile(filepath.Join(library, "time.go"))
	if err != nil {
		return "", err
	}
	const asks = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	altered := strings.Replace(string(text), asks, asks+"\tsec = ahead(sec)\n", 1)
	if altered == string(text) {
		return "", fmt.Errorf("time.Now of %s has another text", runtime.Version())
	}
	now := filepath.Join(dir, "now.go")
	if err := os.WriteFile(now, []byte(altered), 0o600); err != nil {
		return "", err
	}
	replaced := map[string]string{filepath.Join(library, "time.go"): now}
	for file, source := range map[string]string{filepath.Join(library, "ahead.go"): "time.go.txt", filepath.Join("..", "..", "worker", "clock.go"): "worker.go.txt"} {
		if file, err = filepath.Abs(file); err != nil {
			return "", err
		}
		if replaced[file], err = filepath.Abs(filepath.Join("testdata", "clock", source)); err != nil {
			return "", err
		}
	}
	text, err = json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// clock is the file that says how far a worker's clock is ahead.
type clock string

// newClock is one that is right.
func (w *world) newClock(t testing.TB, of string) clock {
	t.Helper()
	c := clock(filepath.Join(w.Dir(), "clock-of-"+of))
	require.NoError(t, c.write(0))
	return c
}

func (c clock) write(ahead time.Duration) error {
	next := string(c) + ".set"
	if err := os.WriteFile(next, []byte(strconv.Itoa(int(ahead.Seconds()))), 0o600); err != nil {
		return err
	}
	return os.Rename(next, string(c))
}

func (c clock) environ() string { return "CLOCK_FILE=" + string(c) }

// set puts a worker's clock ahead, or back, and returns once it is.
func (r *trial) set(c clock, ahead time.Duration) {
	r.Helper()
	assert.NoError(r, c.write(ahead))
	r.until(func() bool {
		text, err := os.ReadFile(string(c) + ".shown")
		assert.NoError(r, err)
		shown, err := time.Parse(time.RFC3339Nano, string(text))
		assert.NoError(r, err)
		return (time.Until(shown) - ahead).Abs() < time.Minute
	})
}

// awaitTime waits until there is a line of a time that is ahead by so much.
func (l logTail) awaitTime(ahead time.Duration) {
	l.Helper()
	l.until(func() bool {
		log, err := os.ReadFile(l.logFile(l.role))
		assert.NoError(l, err)
		for text := range strings.Lines(string(log[l.from:])) {
			var line struct{ Time time.Time }
			if json.Unmarshal([]byte(text), &line) == nil && (time.Until(line.Time)-ahead).Abs() < time.Minute {
				return true
			}
		}
		return false
	})
}

// TestClockOverlay: another version of Go, whose clock would not be altered, is noticed before every cell is tried.
func TestClockOverlay(t *testing.T) {
	_, err := writeClockOverlay(t.TempDir())
	require.NoError(t, err)
}
