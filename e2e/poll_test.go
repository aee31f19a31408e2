package e2e_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// polling has the consumer look between its cycles, of which the only one begins now.
func polling(t sides, environ ...string) {
	t.Helper()
	require.NoError(t, t.Workers[stack.Consumer].Stop())
	require.NoError(t, t.StartWorker(t.Context(), stack.Consumer, append([]string{"POLL_INTERVAL=1s"}, environ...)...))
	t.Cleanup(func() {
		require.NoError(t, t.Workers[stack.Consumer].Stop())
		require.NoError(t, t.StartWorker(context.WithoutCancel(t.Context()), stack.Consumer))
	})
	awaitCycles(t, schedule(t, stack.Consumer, "24h"), 1)
}

// pollStatus is that of the workflow that looks between two cycles.
func pollStatus(t sides) string {
	t.Helper()
	d, err := t.Temporal.Clients[stack.Consumer].DescribeWorkflow(t.Context(), "consumer-poll", "")
	require.NoError(t, err)
	return d.Status.String()
}

// Within seconds after the producer has uploaded it, a change is at the destination, while no cycle of the consumer is due. So
// it is after the consumer's worker was lost.
func TestUpdatesDoNotWaitForCycles(test *testing.T) {
	test.Parallel()
	t := begin(test)
	source, destination, sha := upload(t, "poll")
	other := [2]string{"poll/other@main", "mirror/poll/other@main"}
	configure(t, [2]string{source, destination}, other)
	commit(t, other[0])
	create(t, t.Destination, "mirror/poll/other")
	cycle(t, stack.Producer)
	polling(t)
	awaitHead(t, destination, sha)

	move := func() (sha string) {
		sha = commit(t, source)
		cycle(t, stack.Producer)
		uploaded := time.Now()
		awaitHead(t, destination, sha)
		t.Logf("%s after the producer's cycle", time.Since(uploaded))
		return sha
	}
	for range 3 {
		move()
	}
	report := quickReport(t)
	require.Equal(t, []int{1, 1}, []int{report.Checked, len(report.Synced)}, "only what has moved was looked at")

	t.Workers[stack.Consumer].Kill()
	sha = commit(t, source)
	cycle(t, stack.Producer)
	require.NoError(t, t.StartWorker(t.Context(), stack.Consumer, "POLL_INTERVAL=1s"))
	awaitHead(t, destination, sha)
	move()

	out, err := t.Starter(t.Context(), stack.Consumer, "schedule", "describe")
	require.NoError(t, err, out)
	require.Contains(t, out, "consumer-poll waits for news in between")
	starter(t, stack.Consumer, "schedule", "create", "--every", "24h")
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_RUNNING.String(), pollStatus(t))
	move()

	starter(t, stack.Consumer, "schedule", "pause")
	kept := commit(t, source)
	cycle(t, stack.Producer)
	time.Sleep(5 * time.Second)
	require.NotEqual(t, kept, arrived(t, destination), "who pauses the schedule pauses this, too")
	starter(t, stack.Consumer, "schedule", "unpause")
	move()
}

// quickReport is that of the last cycle that ran between two others.
func quickReport(t sides) (report contract.Report) {
	t.Helper()
	require.NoError(t, t.Temporal.Clients[stack.Consumer].GetWorkflow(t.Context(), "consumer-poll/sync", "").Get(t.Context(), &report))
	return report
}
