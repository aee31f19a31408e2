package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// shownSync is what "starter status -o json" says of a sync.
type shownSync struct {
	Destination   string    `json:"destination"`
	State         string    `json:"state"`
	InSync        bool      `json:"in_sync"`
	Since         time.Time `json:"since"`
	Reason        string    `json:"reason"`
	Kind          string    `json:"kind"`
	LastError     string    `json:"last_error"`
	LastErrorKind string    `json:"last_error_kind"`
	LastErrorAt   time.Time `json:"last_error_at"`
	SourceCommit  string    `json:"source_commit"`
	IsCommit      string    `json:"is_commit"`
	Objects       int       `json:"objects"`
	Size          int64     `json:"size"`
}

// outcome runs the starter, and returns what it says and its exit code.
func outcome(t sides, role stack.Role, args ...string) (out string, code int) {
	t.Helper()
	out, err := t.Starter(t.Context(), role, args...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out, exit.ExitCode()
	}
	require.NoError(t, err, out)
	return out, 0
}

func requireOutcome(t sides, want int, role stack.Role, args ...string) (out string) {
	t.Helper()
	out, code := outcome(t, role, args...)
	require.Equal(t, want, code, out)
	return out
}

// decode reads the JSON that the starter has printed, with what it has said beside.
func decode(t sides, out, begins string, into any) {
	t.Helper()
	start := strings.Index("\n"+out, "\n"+begins)
	require.GreaterOrEqual(t, start, 0, out)
	require.NoError(t, json.NewDecoder(strings.NewReader(out[start:])).Decode(into), out)
}

// statusOf is the status of one sync.
func statusOf(t sides, role stack.Role, name string) shownSync {
	t.Helper()
	out, _ := outcome(t, role, "status", "-o", "json", name)
	var syncs []shownSync
	decode(t, out, "[", &syncs)
	require.Len(t, syncs, 1, out)
	return syncs[0]
}

// The status of a sync through its life is what is now: never arrived, failing, in sync, behind since the source has moved. What was
// before is told as that.
func TestStatusThroughALife(test *testing.T) {
	test.Parallel()
	t := begin(test)
	const source, destination, other = "life/app@main", "mirror/life/app@main", "mirror/life/other@main"
	configure(t, [2]string{source, destination}, [2]string{"life/other@main", other})
	protect(t, "mirror/life/app")
	create(t, t.Destination, "mirror/life/other")
	commit(t, "life/other@main")
	first := commit(t, source)

	require.Contains(t, requireOutcome(t, 2, stack.Producer, "status", "--exit-code"), "2 syncs: 2 never arrived")
	b := statusOf(t, stack.Producer, destination)
	require.Equal(t, []string{"never_arrived", first, ""}, []string{b.State, b.SourceCommit, b.IsCommit})
	cycle(t, stack.Producer)
	b = statusOf(t, stack.Producer, "Mirror/Life/app@main")
	require.Equal(t, []string{"in_sync", first, first}, []string{b.State, b.SourceCommit, b.IsCommit})
	require.Equal(t, 1, b.Objects)
	require.Positive(t, b.Size)
	require.Equal(t, "never_arrived", statusOf(t, stack.Consumer, destination).State)

	failingCycle(t, stack.Consumer)
	out := requireOutcome(t, 3, stack.Consumer, "status", "--exit-code", "--failed")
	require.Contains(t, out, "2 syncs: 1 in sync, 1 failing")
	require.NotContains(t, out, other)
	require.Contains(t, out, "PushRefused: ")
	require.NotContains(t, out, "before, ", "the plan says it already")

	second := commit(t, source)
	moved := time.Now()
	b = statusOf(t, stack.Producer, destination)
	require.Equal(t, []string{"behind", second, first}, []string{b.State, b.SourceCommit, b.IsCommit})
	require.WithinDuration(t, moved, b.Since, 30*time.Second)
	require.False(t, b.Since.Before(moved), "it has just been seen to have moved")
	unprotect(t, "mirror/life/app")
	cycle(t, stack.Producer)
	b = statusOf(t, stack.Consumer, destination) // it is planned again, as there is something new to push
	require.Equal(t, []string{"failing", "", "PushRefused"}, []string{b.State, b.Kind, b.LastErrorKind})
	require.NotContains(t, b.Reason, "refused", "what the last run failed with is not what is now")
	require.Contains(t, requireOutcome(t, 0, stack.Consumer, "status", destination), "before, ")

	cycle(t, stack.Consumer)
	b = statusOf(t, stack.Consumer, destination)
	require.Equal(t, []string{"in_sync", second, second, ""}, []string{b.State, b.SourceCommit, b.IsCommit, b.LastError})
	require.Contains(t, requireOutcome(t, 0, stack.Consumer, "status", "--exit-code"), "2 syncs: 2 in sync; the last cycle of all ended ")

	third := commit(t, source)
	cycle(t, stack.Producer)
	b = statusOf(t, stack.Consumer, destination)
	require.Equal(t, []string{"behind", third, second}, []string{b.State, b.SourceCommit, b.IsCommit})
	require.False(t, b.Since.Before(moved), "not since an object of before was uploaded")
	require.Contains(t, requireOutcome(t, 2, stack.Consumer, "status", "--exit-code", "mirror/life/*"), "2 syncs: 1 in sync, 1 behind")
}

// A name that no sync has is a mistake, and the nearest one is proposed.
func TestStatusOfUnknown(test *testing.T) {
	test.Parallel()
	t := begin(test)
	upload(t, "unknown")
	require.Contains(t, requireOutcome(t, 2, stack.Consumer, "status", "mirror/unknown/ap@main"), `there is no sync "mirror/unknown/ap@main"; did you mean "mirror/unknown/app@main"?`)
	require.Contains(t, requireOutcome(t, 2, stack.Producer, "status", "nothing/*"), `no sync matches "nothing/*"`)
	require.Contains(t, requireOutcome(t, 2, stack.Consumer, "why", "mirror/unknown/ap@main"), "did you mean")
	require.Contains(t, requireOutcome(t, 2, stack.Consumer, "retry", "mirror/unknown/ap@main"), "did you mean")
}

// Without a worker nobody waits in the dark: what Temporal remembers is shown, and why there is no more.
func TestStatusWithoutAWorker(test *testing.T) {
	test.Parallel()
	t := begin(test)
	_, destination, _ := upload(t, "alone")
	protect(t, "mirror/alone/app")
	failingCycle(t, stack.Consumer)
	starter(t, stack.Consumer, "schedule", "create", "--every", "24h")
	h := t.Temporal.Clients[stack.Consumer].ScheduleClient().GetHandle(t.Context(), "consumer-sync")
	awaitCycles(t, h, 1)
	starter(t, stack.Consumer, "schedule", "pause", "--note", "moving house")
	t.Cleanup(func() { require.NoError(t, h.Delete(context.WithoutCancel(t.TB.Context()))) })
	t.Workers[stack.Consumer].Kill()
	defer func() { require.NoError(t, t.StartWorker(t.Context(), stack.Consumer)) }()

	out := requireOutcome(t, 4, stack.Consumer, "status")
	require.Contains(t, out, "the schedule is paused, changed last ")
	require.Contains(t, out, ": moving house")
	require.Contains(t, out, "no worker ")
	require.Contains(t, out, "what follows is only what the last cycle of all syncs left behind, ")
	out = requireOutcome(t, 4, stack.Consumer, "why", destination)
	require.Contains(t, out, "not known: the plan is not taken up: no worker ")
	require.Contains(t, out, "PushRefused")
	require.Contains(t, out, "RUN BEGAN")
}

// why puts together what is known of one sync, in whatever spelling it is named.
func TestWhy(test *testing.T) {
	test.Parallel()
	t := begin(test)
	_, destination, sha := upload(t, "reason")
	protect(t, "mirror/reason/app")
	failingCycle(t, stack.Consumer)
	requireOutcome(t, 1, stack.Consumer, "retry", destination)
	out := requireOutcome(t, 0, stack.Consumer, "why", "MIRROR/reason/app@main")
	for _, want := range []string{
		"sync      mirror/reason/app@main\n", "now       failing", "PushRefused: ", "Let the token's user push", "2 times in a row since ", "producer  saw the source at " + sha[:7],
		"workflow  consume/mirror/reason/app@main\n", `temporal workflow describe --namespace consumer --workflow-id "consume/mirror/reason/app@main"`, "RUN BEGAN",
	} {
		require.Contains(t, out, want)
	}
	require.Equal(t, 2, strings.Count(out, "  failed   PushRefused"), out)

	unprotect(t, "mirror/reason/app")
	starter(t, stack.Consumer, "retry", destination)
	var why struct {
		shownSync
		Failures int `json:"failures_in_a_row"`
		Runs     []struct {
			Outcome, Kind, Summary string
		} `json:"runs"`
	}
	decode(t, requireOutcome(t, 0, stack.Consumer, "why", destination, "-o", "json"), "{", &why)
	require.Equal(t, []any{"in_sync", "PushRefused", 0}, []any{why.State, why.LastErrorKind, why.Failures})
	require.Equal(t, "Completed", why.Runs[0].Outcome)
	require.Contains(t, why.Runs[0].Summary, "created at "+sha[:7])
}

// Whoever watches sees what changes, and ends it without a word.
func TestStatusIsWatched(test *testing.T) {
	test.Parallel()
	t := begin(test)
	_, destination, _ := upload(t, "watched")
	cmd := exec.CommandContext(t.Context(), t.Binaries.Starter, "-role", "consumer", "status", "--watch", destination)
	cmd.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+t.Temporal.Address, "TEMPORAL_NAMESPACE=consumer")
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	shows := func(text string) {
		require.Eventually(t, func() bool { return strings.Contains(out.String(), text) }, time.Minute, 20*time.Millisecond)
	}
	shows("1 sync: 1 never arrived")
	create(t, t.Destination, "mirror/watched/app")
	cycle(t, stack.Consumer)
	shows("1 sync: 1 in sync")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.NoError(t, cmd.Wait())
	require.NotContains(t, out.String(), "interrupted")
}
