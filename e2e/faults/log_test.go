package faults_test

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// logTail is what a side's workers log from some moment on.
type logTail struct {
	*trial
	role stack.Role
	from int
}

func (w *world) logFile(role stack.Role) string {
	return filepath.Join(w.Dir(), "logs", string(role)+"-worker.log")
}

// logOf is what a side's workers log from now on.
func (r *trial) logOf(role stack.Role) logTail {
	text, err := os.ReadFile(r.logFile(role))
	require.NoError(r, err)
	return logTail{r, role, len(text)}
}

// await waits until there is a line that has all of the texts: the fault is seen by the system.
func (l logTail) await(texts ...string) {
	l.Helper()
	for deadline := time.Now().Add(strikePatience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if l.has(texts...) {
			return
		}
	}
	assert.Fail(l, "the system has not noticed the fault", "no line of the %s's log has all of %q", l.role, texts)
}

func (l logTail) has(texts ...string) bool {
	log, err := os.ReadFile(l.logFile(l.role))
	require.NoError(l, err)
	for line := range strings.Lines(string(log[l.from:])) {
		if hasAll(line, texts) {
			return true
		}
	}
	return false
}

func hasAll(line string, texts []string) bool {
	for _, text := range texts {
		if !strings.Contains(line, text) {
			return false
		}
	}
	return true
}
