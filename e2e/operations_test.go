package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// runbooks are the documents with commands for operators, in the order of a life.
var runbooks = []string{"../docs/first-deployment.md", "../docs/operations.md", "../docs/temporal-cli.md"}

// shellBlock is the text of a fenced block of shell commands, and where it is.
type shellBlock struct {
	document string
	line     int // at which it begins
	text     string
}

// A block is run on the side that its first line names.
var blockMark = regexp.MustCompile(`^# (producer|consumer)(|, of a failed sync|, in its worker's environment)\n`)

const (
	ofFailure = ", of a failed sync" // which the block mends
	inWorker  = ", in its worker's environment"
)

func (b shellBlock) mark() (role stack.Role, where string, ok bool) {
	mark := blockMark.FindStringSubmatch(b.text)
	if mark == nil {
		return "", "", false
	}
	return stack.Role(mark[1]), mark[2], true
}

// shellBlocks also finds those in lists, which are indented.
func shellBlocks(document, text string) (blocks []shellBlock) {
	var block *shellBlock
	indent := ""
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case block == nil && trimmed == "```sh":
			indent = line[:len(line)-len(trimmed)]
			block = &shellBlock{document: document, line: i + 2}
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
	blocks := shellBlocks("a.md", text)
	require.Equal(t, []shellBlock{{"a.md", 2, "# producer\nstarter plan\n"}, {"a.md", 8, "# consumer, of a failed sync\na \\\n  b\n"}}, blocks)
	role, where, ok := blocks[1].mark()
	require.Equal(t, []any{stack.Consumer, ofFailure, true}, []any{role, where, ok})
}

// TestOperations runs the commands of the runbooks in their order.
func TestOperations(test *testing.T) {
	test.Parallel()
	var blocks []shellBlock
	for _, document := range runbooks {
		text, err := os.ReadFile(document)
		require.NoError(test, err)
		blocks = append(blocks, shellBlocks(document, string(text))...)
	}
	t, path := newStack(test)
	configure(t, operated("other"))
	prepareOperated(t, "other")
	run := 0
	var mended [][2]string // sets, which stay configured
	for _, block := range blocks {
		role, where, ok := block.mark()
		if !ok {
			require.NotRegexp(t, `(?m)^(starter|temporal) (?s:.*)`, block.text, "%s:%d: not marked", block.document, block.line)
			continue
		}
		run++
		t.run(fmt.Sprintf("%s line %d", filepath.Base(block.document), block.line), func(t sides) {
			destination, sha := operated("other")[1], ""
			var sets [][2]string
			if strings.Contains(block.text, "starter retry --all") {
				sets = append(sets, operatedSet("set"))
			}
			if where == ofFailure {
				destination, sha = failOperated(t, fmt.Sprintf("%s-%d", strings.TrimSuffix(filepath.Base(block.document), ".md"), block.line), mended, sets...)
			}
			mended = append(mended, sets...)
			environ := []string{"TEMPORAL_ADDRESS=" + t.Temporal.Address, "TEMPORAL_NAMESPACE=" + string(role), stack.NoExitSleep}
			if where == inWorker {
				environ = t.WorkerEnviron(role)
			}
			block.run(t, append(environ, "PATH="+path, "DESTINATION="+destination, "SYNC_ROLE="+string(role)))
			if where == ofFailure {
				awaitHead(t, destination, sha)
			}
			for _, set := range sets {
				require.Equal(t, refs(t, t.Source, branch(set[0]).Path()), refs(t, t.Destination, branch(set[1]).Path()))
			}
		})
	}
	require.Greater(t, run, 20)
}

func (b shellBlock) run(t sides, environ []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", b.text)
	cmd.Env = append(environ, "HOME="+t.TempDir(), "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s:%d\n%s%s", b.document, b.line, b.text, out)
}

// newStack has no failures of other tests, which "retry --all" would retry. The path has the
// starter and the Temporal CLI.
func newStack(t *testing.T) (s sides, path string) {
	t.Helper()
	binaries := stacks.binaries
	running, err := stack.Start(t.Context(), stack.Options{Dir: t.TempDir(), Binaries: binaries})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, running.Close()) })
	cli, err := filepath.Abs(filepath.Dir(binaries.Temporal))
	require.NoError(t, err)
	return sidesOf(t, running), strings.Join([]string{binDir, cli, os.Getenv("PATH")}, ":")
}

// operated is a sync of the runbook's.
func operated(name string) [2]string {
	return [2]string{"platform/" + name + "@main", "enclave/platform/" + name + "@main"}
}

func prepareOperated(t sides, name string) (destination, sha string) {
	t.Helper()
	pair := operated(name)
	create(t, t.Destination, branch(pair[1]).Path())
	return pair[1], commit(t, pair[0])
}

// operatedSet is a sync of all branches and tags.
func operatedSet(name string) [2]string {
	return [2]string{"platform/" + name + "@refs/*", "enclave/platform/" + name + "@refs/*"}
}

// failOperated adds a sync that has failed, and some of sets, of which the cause is repaired. The schedules are
// paused, so that nothing but what is tested mends them.
func failOperated(t sides, name string, mended [][2]string, sets ...[2]string) (destination, sha string) {
	t.Helper()
	for _, role := range stack.Roles {
		h := t.Temporal.Clients[role].ScheduleClient().GetHandle(t.Context(), string(role)+"-sync")
		require.NoError(t, h.Pause(context.Background(), client.SchedulePauseOptions{}))
		awaitSchedule(t, h, func(i client.ScheduleInfo) bool { return len(i.RunningWorkflows) == 0 })
	}
	configure(t, slices.Concat(mended, sets, [][2]string{operated("other"), operated(name)})...)
	destination, sha = prepareOperated(t, name)
	repos := []string{branch(destination).Path()}
	for _, set := range sets {
		commit(t, branch(set[0]).Path()+"@main")
		atSource(t, branch(set[0]).Path(), "tag", "v1", "main")
		repos = append(repos, branch(set[1]).Path())
	}
	for _, repo := range repos {
		protect(t, repo)
	}
	cycle(t, stack.Producer)
	require.Contains(t, failingCycle(t, stack.Consumer), fmt.Sprintf("%d failed", len(repos)))
	for _, repo := range repos {
		unprotect(t, repo)
	}
	return destination, sha
}
