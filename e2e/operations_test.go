package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

const operationsFile = "../docs/operations.md"

// shellBlock is the text of a fenced block of shell commands, and the line it begins at.
type shellBlock struct {
	line int
	text string
}

// A block is run on the side that its first line names; ofFailure tells that it needs a sync that
// has failed, and has to mend it.
var blockMark = regexp.MustCompile(`^# (producer|consumer)(, of a failed sync)?\n`)

func (b shellBlock) mark() (role stack.Role, ofFailure, ok bool) {
	mark := blockMark.FindStringSubmatch(b.text)
	if mark == nil {
		return "", false, false
	}
	return stack.Role(mark[1]), mark[2] != "", true
}

// shellBlocks also finds those in lists, which are indented.
func shellBlocks(text string) (blocks []shellBlock) {
	var block *shellBlock
	indent := ""
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case block == nil && trimmed == "```sh":
			indent = line[:len(line)-len(trimmed)]
			block = &shellBlock{line: i + 2}
		case block != nil && trimmed == "```":
			blocks = append(blocks, *block)
			block = nil
		case block != nil:
			block.text += strings.TrimPrefix(line, indent) + "\n"
		}
	}
	return blocks
}

func TestShellBlocks(t *testing.T) {
	text := "```sh\n# producer\nstarter plan\n```\n1. x\n\n   ```sh\n   # consumer, of a failed sync\n   a \\\n     b\n   ```\n```go\nno\n```\n"
	blocks := shellBlocks(text)
	require.Equal(t, []shellBlock{{2, "# producer\nstarter plan\n"}, {8, "# consumer, of a failed sync\na \\\n  b\n"}}, blocks)
	role, ofFailure, ok := blocks[1].mark()
	require.Equal(t, []any{stack.Consumer, true, true}, []any{role, ofFailure, ok})
}

// TestOperations runs the commands of docs/operations.md in their order.
func TestOperations(t *testing.T) {
	text, err := os.ReadFile(operationsFile)
	require.NoError(t, err)
	path := newStack(t)
	configure(t, operated("other"))
	prepareOperated(t, "other")
	run := 0
	for _, block := range shellBlocks(string(text)) {
		role, ofFailure, ok := block.mark()
		if !ok {
			require.NotRegexp(t, `(?m)^(starter|temporal) (?s:.*)`, block.text, "line %d: not marked", block.line)
			continue
		}
		run++
		t.Run(fmt.Sprintf("line %d", block.line), func(t *testing.T) {
			destination, sha := operated("other")[1], ""
			if ofFailure {
				destination, sha = failOperated(t, fmt.Sprintf("line-%d", block.line))
			}
			block.run(t, role, path, destination)
			if ofFailure {
				awaitHead(t, destination, sha)
			}
		})
	}
	require.Greater(t, run, 20)
}

func (b shellBlock) run(t *testing.T, role stack.Role, path, destination string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", b.text)
	cmd.Env = []string{
		"PATH=" + path, "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(), "DESTINATION=" + destination,
		"SYNC_ROLE=" + string(role), "TEMPORAL_ADDRESS=" + both.Temporal.Address, "TEMPORAL_NAMESPACE=" + string(role),
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s:%d\n%s%s", operationsFile, b.line, b.text, out)
}

// newStack has no failures of other tests, which "retry --all" would retry. The path has the
// starter and the Temporal CLI.
func newStack(t *testing.T) (path string) {
	t.Helper()
	binaries, err := stack.FindServers("..")
	require.NoError(t, err)
	binaries.Worker, binaries.Starter = filepath.Join(binDir, "worker"), filepath.Join(binDir, "starter")
	shared := both
	both, err = stack.Start(t.Context(), stack.Options{Dir: t.TempDir(), Binaries: binaries})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, both.Close())
		both = shared
	})
	cli, err := filepath.Abs(filepath.Dir(binaries.Temporal))
	require.NoError(t, err)
	return strings.Join([]string{binDir, cli, os.Getenv("PATH")}, ":")
}

// operated is a sync of the runbook's.
func operated(name string) [2]string {
	return [2]string{"platform/" + name + "@main", "enclave/platform/" + name + "@main"}
}

func prepareOperated(t *testing.T, name string) (destination, sha string) {
	t.Helper()
	pair := operated(name)
	create(t, both.Destination, branch(pair[1]).Path())
	return pair[1], commit(t, pair[0])
}

// failOperated adds a sync that has failed, of which the cause is repaired. The schedules are
// paused, so that nothing but what is tested mends it.
func failOperated(t *testing.T, name string) (destination, sha string) {
	t.Helper()
	for _, role := range stack.Roles {
		h := both.Temporal.Clients[role].ScheduleClient().GetHandle(t.Context(), string(role)+"-sync")
		require.NoError(t, h.Pause(context.Background(), client.SchedulePauseOptions{}))
		awaitSchedule(t, h, func(i client.ScheduleInfo) bool { return len(i.RunningWorkflows) == 0 })
	}
	configure(t, operated("other"), operated(name))
	destination, sha = prepareOperated(t, name)
	protect(t, branch(destination).Path())
	cycle(t, stack.Producer)
	failingCycle(t, stack.Consumer)
	unprotect(t, branch(destination).Path())
	return destination, sha
}
