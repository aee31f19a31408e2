package command

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// Nobody waits in the dark: the worker that is missing is named, and Ctrl-C says what goes on, and how to end it.
func TestNoWorkerIsNamed(t *testing.T) {
	t.Parallel()
	temporalOf(t, "no-worker")
	p := start(t, "no-worker", "run", "-q")
	p.await(&p.err, `... no worker polls git-partition-sync-consumer in the namespace "no-worker": start one (worker -role consumer), see its log, or set TEMPORAL_NAMESPACE to the one that is meant`+"\n")
	p.interrupt()
	require.Equal(t, exitInterrupted, p.exit())
	require.Contains(t, p.err.String(), `starter: interrupted: no worker polls git-partition-sync-consumer`)
	require.Contains(t, p.err.String(), `consumer-sync-once goes on without being waited for: to end it, temporal workflow cancel --workflow-id "consumer-sync-once"`)
	require.NotContains(t, p.err.String(), "context")
	require.Empty(t, p.out.String())
}

// A worker that comes late ends the waiting.
func TestWorkerComesLate(t *testing.T) {
	t.Parallel()
	c := temporalOf(t, "second")
	p := start(t, "second", "plan", "-o", "json")
	p.await(&p.err, "... no worker polls")
	cycleOf(t, c, func(workflow.Context, contract.CycleInput) (contract.Report, error) {
		return contract.Report{Checked: 3, UpToDate: 3}, nil
	}, nil, nil)
	require.Equal(t, 0, p.exit(), "%s", &p.err)
	require.JSONEq(t, `{"checked":3,"up_to_date":3}`, p.out.String())
}

// Whoever gives it a time gets an exit code of its own, and JSON where that was asked for.
func TestTimeout(t *testing.T) {
	t.Parallel()
	temporalOf(t, "timeout")
	p := start(t, "timeout", "--timeout", "2s", "run", "-o", "json")
	require.Equal(t, exitTimeout, p.exit())
	var said struct{ Error, Kind string }
	require.NoError(t, json.Unmarshal([]byte(p.out.String()), &said))
	require.Equal(t, "Timeout", said.Kind)
	require.Equal(t, `the time of --timeout is up: no worker polls git-partition-sync-consumer in the namespace "timeout": start one (worker -role consumer), see its log, or set TEMPORAL_NAMESPACE to the one that is meant; `+
		`consumer-sync-once goes on without being waited for: to end it, temporal workflow cancel --workflow-id "consumer-sync-once"`, said.Error)
}

// Who waits for a cycle that somebody else has started is told so, and for which rollback.
func TestWaitsForTheOneThatRuns(t *testing.T) {
	t.Parallel()
	c := temporalOf(t, "waits")
	cycleOf(t, c, func(ctx workflow.Context, in contract.CycleInput) (contract.Report, error) {
		workflow.GetSignalChannel(ctx, "end").Receive(ctx, nil)
		return contract.Report{Synced: in.AllowRollback}, nil
	}, nil, nil)
	first := start(t, "waits", "run", "--allow-rollback", "a/b@main")
	require.Eventually(t, func() bool {
		_, err := c.DescribeWorkflowExecution(t.Context(), "consumer-sync-once", "")
		return err == nil
	}, waitLong, waitShort)
	second := start(t, "waits", "run", "-o", "json")
	second.await(&second.err, "consumer-sync-once is running already, since ")
	second.await(&second.err, "with --allow-rollback a/b@main: waits for that one\n")
	third := start(t, "waits", "run", "--allow-rollback", "c/d@main")
	require.Equal(t, exitFailed, third.exit())
	require.Contains(t, third.err.String(), "say it again when that cycle has ended")
	require.NoError(t, c.SignalWorkflow(t.Context(), "consumer-sync-once", "", "end", nil))
	require.Equal(t, 0, first.exit())
	require.Equal(t, 0, second.exit())
	require.JSONEq(t, `{"checked":0,"up_to_date":0,"synced":["a/b@main"]}`, second.out.String())
}

// How a workflow ended is said in words, and in JSON with its kind.
func TestFailuresInWords(t *testing.T) {
	t.Parallel()
	c := temporalOf(t, "failures")
	var failures plan.Failures
	for _, name := range []string{"a", "b", "c"} {
		failures.Fail(plan.Failure{Subject: "g/" + name + "@main", Kind: "GitAuthFailed", Reason: "g/" + name + "@main: the token is refused\nMake a new one."})
	}
	cycleOf(t, c, func(ctx workflow.Context, in contract.CycleInput) (contract.Report, error) {
		if len(in.Only) > 0 {
			if err := workflow.Sleep(ctx, time.Hour); err != nil {
				return contract.Report{}, err
			}
		}
		r := contract.Report{Checked: 4, Failures: failures}
		return r, r.Err()
	}, nil, nil)
	p := start(t, "failures", "run")
	require.Equal(t, exitFailed, p.exit())
	require.Contains(t, p.out.String(), "failed GitAuthFailed, 3 syncs: ...: the token is refused\n       Make a new one.\n          g/a@main\n")
	require.Contains(t, p.err.String(), "starter: 3 failed\n")

	p = start(t, "failures", "run", "-o", "json")
	require.Equal(t, exitFailed, p.exit())
	var report contract.Report
	require.NoError(t, json.Unmarshal([]byte(p.out.String()), &report))
	require.Len(t, report.Failed, 3)

	for how, end := range map[string]func(context.Context, string) error{
		"cancelled":  func(ctx context.Context, id string) error { return c.CancelWorkflow(ctx, id, "") },
		"terminated": func(ctx context.Context, id string) error { return c.TerminateWorkflow(ctx, id, "", "by the test") },
	} {
		destination := "g/" + how + "@main"
		p = start(t, "failures", "run", "-o", "json", destination)
		id := "consumer-sync-once/" + nameOf([]string{destination})
		require.Eventually(t, func() bool { return end(t.Context(), id) == nil }, waitLong, waitShort)
		require.Equal(t, exitFailed, p.exit())
		require.JSONEq(t, `{"error":"`+id+`: it was `+how+`","kind":"Failed"}`, p.out.String())
	}
}

// Whatever hangs when Ctrl-C has been pressed, the second one ends it.
func TestSecondCtrlC(t *testing.T) {
	t.Parallel()
	temporalOf(t, "words")
	p := startWith(t, []string{asStarter + "=" + hanging}, "words")
	p.await(&p.out, "waits")
	p.interrupt()
	p.await(&p.out, "interrupted")
	p.interrupt()
	require.Equal(t, -1, p.exit(), "by the signal")
}
