package e2e_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// retry looks first: what is in sync by now is named and left alone, also if its last run has failed. What has no run that could be
// reset, because only the plan fails, is run by a cycle. Failures that say the same are told once.
func TestRetryLooksFirst(test *testing.T) {
	test.Parallel()
	t := begin(test)
	var pairs [][2]string
	for _, name := range []string{"mended", "byhand", "frozen", "frozen2", "missing"} {
		pairs = append(pairs, [2]string{"look/" + name + "@main", "mirror/look/" + name + "@main"})
		commit(t, "look/"+name+"@main")
		if name != "missing" {
			protect(t, "mirror/look/"+name)
		}
	}
	configure(t, pairs...)
	cycle(t, stack.Producer)
	failingCycle(t, stack.Consumer)

	unprotect(t, "mirror/look/mended")
	unprotect(t, "mirror/look/byhand")
	cycleOfOne(t, "mirror/look/mended@main")
	create(t, t.Destination, "mirror/look/missing")
	before := keys(t, t.bucket)
	out := requireOutcome(t, 1, stack.Consumer, "retry", "--all")
	require.Contains(t, out, "synced mirror/look/byhand@main: created at ")
	require.Contains(t, out, "synced mirror/look/missing@main: created at ")
	require.Contains(t, out, "failed mirror/look/frozen@main (PushRefused)\n")
	require.Contains(t, out, "failed PushRefused, 2 syncs: ")
	require.Equal(t, 1, strings.Count(out, "Let the token's user push"), out)
	require.NotContains(t, out, "mirror/look/mended")
	require.Contains(t, out, "2 of 4 failed again")

	out = requireOutcome(t, 0, stack.Consumer, "retry", "mirror/look/m*")
	require.Contains(t, out, "skipped mirror/look/mended@main: in sync already: not retried")
	require.Contains(t, out, "2 checked, 2 up to date, 0 synced, 0 failed")
	require.Equal(t, "2 checked, 2 up to date, 0 synced, 0 failed", strings.TrimSpace(lastLine(out)))

	var report contract.Report
	unprotect(t, "mirror/look/frozen")
	decode(t, requireOutcome(t, 1, stack.Consumer, "retry", "-o", "json", "mirror/look/*"), "{", &report)
	require.Equal(t, []int{5, 3, 1, 1}, []int{report.Checked, report.UpToDate, len(report.Synced), len(report.Failed)})
	require.Equal(t, "mirror/look/frozen2@main", report.Failed[0].Subject)
	require.Equal(t, before, keys(t, t.bucket))
}

func cycleOfOne(t sides, destination string) {
	t.Helper()
	requireOutcome(t, 0, stack.Consumer, "retry", destination)
}

func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

// A producer's sync that failed once and is in sync by now is not uploaded again.
func TestRetryUploadsNothingThatIsThere(test *testing.T) {
	test.Parallel()
	t := begin(test)
	const source, destination = "again/app@main", "mirror/again/app@main"
	configure(t, [2]string{source, destination})
	commit(t, "again/app@other")
	failingCycle(t, stack.Producer)
	commit(t, source)
	cycle(t, stack.Producer)
	before := keys(t, t.bucket)
	require.Contains(t, requireOutcome(t, 0, stack.Producer, "retry", destination), "in sync already: not retried")
	require.Contains(t, requireOutcome(t, 0, stack.Producer, "retry", "--all"), "0 checked")
	require.Equal(t, before, keys(t, t.bucket))
}

// Who stops waiting is told what goes on, and how to end it.
func TestInterruptedRetry(test *testing.T) {
	test.Parallel()
	t := begin(test)
	_, destination, sha := upload(t, "interrupted")
	protect(t, "mirror/interrupted/app")
	failingCycle(t, stack.Consumer)
	unprotect(t, "mirror/interrupted/app")
	gate := closeGate(t, "mirror/interrupted/app")
	cmd := exec.CommandContext(t.Context(), t.Binaries.Starter, "-role", "consumer", "retry", destination)
	cmd.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+t.Temporal.Address, "TEMPORAL_NAMESPACE=consumer")
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	gate.await(t)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	require.Equal(t, 130, cmd.ProcessState.ExitCode(), out.String())
	require.Contains(t, out.String(), "consume/mirror/interrupted/app@main goes on without being waited for; to end one: temporal workflow cancel --workflow-id ID")
	gate.pass(t)
	awaitHead(t, destination, sha)
	require.Eventually(t, func() bool { return statusOf(t, stack.Consumer, destination).State == "in_sync" }, time.Minute, 100*time.Millisecond)
}
