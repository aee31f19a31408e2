package e2e_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// says runs the starter, and returns what it prints and its exit code.
func says(t sides, role stack.Role, args ...string) (string, int) {
	t.Helper()
	out, err := t.Starter(t.Context(), role, args...)
	if err == nil {
		return out, 0
	}
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, out)
	return out, exit.ExitCode()
}

// requirePaused requires that a pause is seen by whatever would move the sync.
func requirePaused(t sides, role stack.Role, destination, reason string) {
	t.Helper()
	for _, args := range [][]string{{"plan"}, {"run"}, {"run", destination}} {
		out, code := says(t, role, args...)
		require.Zero(t, code, out)
		require.Regexp(t, `(?m)^paused `+destination+` until .*, by .+@.+: `+reason+`$`, out)
		require.Contains(t, out, "1 checked, 0 up to date, 0 synced, 0 failed, 1 paused")
	}
}

// A sync is paused on either side, in the middle of its life and while its server is away, and goes on where it was.
func TestPause(test *testing.T) {
	test.Parallel()
	t := begin(test)
	source, destination, sha := upload(t, "pause")
	create(t, t.Destination, "mirror/pause/other")

	out, code := says(t, stack.Consumer, "pause", destination, "--for", "2h", "--reason", "moving house")
	require.Zero(t, code, out)
	require.Regexp(t, `^paused mirror/pause/app@main until \d\d.*: moving house\n +it ends by itself, .*, or with: starter unpause 'mirror/pause/app@main'\n`, out)
	requirePaused(t, stack.Consumer, destination, "moving house")
	require.Empty(t, arrived(t, destination))
	out, code = says(t, stack.Consumer, "pause", "Mirror/Pause/App@main", "--for", "30m", "--reason", "still moving")
	require.Zero(t, code, out)
	requirePaused(t, stack.Consumer, "Mirror/Pause/App@main", "still moving")
	out, code = says(t, stack.Consumer, "unpause", destination)
	require.Zero(t, code, out)
	require.Contains(t, out, "unpaused "+destination)
	cycle(t, stack.Consumer)
	require.Equal(t, sha, arrived(t, destination))
	out, code = says(t, stack.Consumer, "unpause", destination)
	require.Equal(t, 1, code)
	require.Contains(t, out, "mirror/pause/app@main is not paused on this side (consumer)")

	out, code = says(t, stack.Consumer, "pause", "mirror/pause/ap@main")
	require.Equal(t, 2, code)
	require.Contains(t, out, `this side (consumer) has no sync of "mirror/pause/ap@main": say --force to pause it all the same; did you mean "mirror/pause/app@main"?`)
	out, code = says(t, stack.Producer, "pause", "mirror/pause/ap@main", "--force")
	require.Zero(t, code, out)
	starter(t, stack.Producer, "unpause", "mirror/pause/ap@main")

	starter(t, stack.Producer, "pause", destination, "--reason", "freeze")
	sha = commit(t, source)
	requirePaused(t, stack.Producer, destination, "freeze")
	cycle(t, stack.Consumer)
	require.NotEqual(t, sha, arrived(t, destination))
	c, id := t.Temporal.Clients[stack.Producer], contract.Producer.PauseID(branch(destination))
	require.NoError(t, c.CancelWorkflow(t.Context(), id, ""), "as in the UI")
	var end contract.PauseEnd
	require.NoError(t, c.GetWorkflow(t.Context(), id, "").Get(t.Context(), &end))
	require.Equal(t, contract.PauseCancelled, end.Ended)
	require.Eventually(t, func() bool {
		out, err := t.Starter(t.Context(), stack.Producer, "plan")
		return err == nil && !strings.Contains(out, "paused")
	}, time.Minute, 100*time.Millisecond)
	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)
	require.Equal(t, sha, arrived(t, destination))
}

// Without a worker a sync is paused and unpaused all the same; what could not be found out is said.
func TestPauseWithoutWorker(test *testing.T) {
	test.Parallel()
	t := begin(test)
	_, destination, sha := upload(t, "nobody")
	require.NoError(t, t.Workers[stack.Consumer].Stop())
	restart := func() { require.NoError(t, t.StartWorker(context.WithoutCancel(t.Context()), stack.Consumer)) }
	t.Cleanup(func() { restart() })
	pause := func() {
		out, code := says(t, stack.Consumer, "pause", destination, "--force")
		require.Zero(t, code, out)
		require.Contains(t, out, "paused mirror/nobody/app@main until ")
	}
	pause()
	out, code := says(t, stack.Consumer, "unpause", destination)
	require.Zero(t, code, out)
	d, err := t.Temporal.Clients[stack.Consumer].DescribeWorkflow(t.Context(), contract.Consumer.PauseID(branch(destination)), "")
	require.NoError(t, err)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_TERMINATED, d.Status)
	pause()
	restart()
	out = cycle(t, stack.Consumer)
	require.Contains(t, out, "1 paused", "a worker that starts knows it")
	starter(t, stack.Consumer, "unpause", destination)
	cycle(t, stack.Consumer)
	require.Equal(t, sha, arrived(t, destination))
	restart = func() {}
}
