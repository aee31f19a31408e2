package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// workerLog reads what a side's worker logs from now on.
type workerLog struct {
	sides
	file string
	read int
}

func logOf(t sides, role stack.Role) *workerLog {
	l := &workerLog{sides: t, file: filepath.Join(t.Dir(), "logs", string(role)+"-worker.log")}
	l.next()
	return l
}

// next returns the lines since the last time. All are JSON.
func (l *workerLog) next() (lines []map[string]any) {
	l.Helper()
	text, err := os.ReadFile(l.file)
	require.NoError(l, err)
	for line := range bytes.Lines(text[l.read:]) {
		var read map[string]any
		require.NoError(l, json.Unmarshal(line, &read), "%s", line)
		lines = append(lines, read)
	}
	l.read = len(text)
	return lines
}

// said are the lines of a level, with what they have of the keys.
func said(lines []map[string]any, level string, keys ...string) (texts []string) {
	for _, line := range lines {
		if line["level"] != level {
			continue
		}
		text := fmt.Sprint(line["msg"])
		for _, key := range keys {
			if value, ok := line[key]; ok {
				text += fmt.Sprintf(" %s=%v", key, value)
			}
		}
		texts = append(texts, text)
	}
	return texts
}

// A worker says once what it is and how it is configured, what has arrived, what cycles did, and what fails, also if that fails no
// step.
func TestLogsOfWorkers(test *testing.T) {
	test.Parallel()
	t := begin(test)
	log := logOf(t, stack.Producer)
	restarted(t, stack.Producer, "LOG_LEVEL=info") // and no format: it is not a terminal
	lines := log.next()
	started := lines[len(lines)-2:]
	require.Equal(t, []string{"Starting role=producer", "Started: taking work role=producer"}, said(started, "INFO", "role"), "and nothing of Temporal's SDK")
	configuration := started[0]["configuration"].(map[string]any)
	require.Equal(t, "set", configuration["GITLAB_TOKEN"])
	require.Equal(t, t.Source.URL(), configuration["GITLAB_BASE_URL"])
	require.Equal(t, "0s", configuration["PRUNE_AFTER"])
	require.Equal(t, "1m0s", configuration["CATALOG_INTERVAL"], "defaults, too")

	configure(t, [2]string{"logs/app@main", "mirror/logs/app@main"}, [2]string{"logs/app@gone", "mirror/logs/app@gone"})
	commit(t, "logs/app@main")
	failingCycle(t, stack.Producer)
	lines = log.next()
	keys := []string{"role", "destination", "kind", "checked", "synced", "failed"}
	require.ElementsMatch(t, []string{"Synced role=producer destination=mirror/logs/app@main", "Cycle finished role=producer checked=2 synced=1 failed=1"}, said(lines, "INFO", keys...))
	require.Equal(t, []string{"Failed role=producer destination=mirror/logs/app@gone kind=BranchNotFound"}, said(lines, "ERROR", keys...))
	for _, line := range lines {
		require.NotEmpty(t, line["workflow_id"], line)
		require.NotEmpty(t, line["run_id"], line)
		if line["msg"] != "Failed" {
			require.Greater(t, line["bytes"], 100.0, line)
		}
	}
	failingCycle(t, stack.Producer)
	require.Empty(t, said(log.next(), "ERROR"), "it stays the same")

	// A server that is not reached fails no step.
	restarted(t, stack.Producer, "GITLAB_BASE_URL=http://"+freeAddress(t))
	log.next()
	failingCycle(t, stack.Producer)
	unreachable := said(log.next(), "ERROR", "destination", "kind")
	require.NotEmpty(t, unreachable)
	failingCycle(t, stack.Producer)
	require.Empty(t, said(log.next(), "ERROR"))

	text, err := os.ReadFile(log.file)
	require.NoError(t, err)
	for _, secret := range config.Secrets(t.WorkerEnviron(stack.Producer)) {
		require.NotContains(t, string(text), secret)
	}
}

// The worker's own arguments.
func TestArgumentsOfTheWorker(t *testing.T) {
	for _, tt := range []struct {
		args string
		code int
		out  string
	}{
		{"--version", 0, "git-partition-sync/"},
		{"help", 0, "Usage: worker"},
		{"producer", 2, `worker: unknown argument "producer": see worker help`},
		{"--nonsense", 2, "worker: flag provided but not defined: -nonsense: see worker help"},
	} {
		cmd := exec.Command(filepath.Join(binDir, "worker"), strings.Fields(tt.args)...)
		var stdout, stderr strings.Builder
		cmd.Env, cmd.Stdout, cmd.Stderr = []string{stack.NoExitSleep}, &stdout, &stderr
		err := cmd.Run()
		require.Equal(t, tt.code, cmd.ProcessState.ExitCode(), "%s: %v", tt.args, err)
		if tt.code == 0 {
			require.Contains(t, stdout.String(), tt.out)
			require.Empty(t, stderr.String())
		} else {
			require.Contains(t, stderr.String(), tt.out)
			require.Empty(t, stdout.String())
		}
	}
}
