package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// standIn starts a server, and a worker whose children of both sides do as child does. Each cycle starts two of them.
func standIn(t *testing.T, child func(workflow.Context) error) client.Client {
	t.Helper()
	return worked(t, newScript(), func(r workflows.Registry) {
		r.RegisterWorkflow(workflows.ProducerSync)
		r.RegisterWorkflow(workflows.ConsumerSync)
		for _, name := range []string{contract.Producer.Child, contract.Consumer.Child} {
			r.(worker.Worker).RegisterWorkflowWithOptions(func(ctx workflow.Context, _ any) error { return child(ctx) }, workflow.RegisterOptions{Name: name})
		}
	})
}

// A cancelled cycle ends after its children, also on a real server, where a parent can end before them.
func TestCancelledCycleEndsAfterItsChildren(t *testing.T) {
	t.Parallel()
	c := standIn(t, func(ctx workflow.Context) error {
		cancelled := workflow.Await(ctx, func() bool { return false })
		ctx, cancel := workflow.NewDisconnectedContext(ctx)
		defer cancel()
		if err := workflow.Sleep(ctx, time.Millisecond); err != nil { // as long as it takes to remove files
			return err
		}
		return cancelled
	})
	onBothSides(t, func(t *testing.T, role string) {
		run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: role, TaskQueue: scriptQueue}, bothSides[role].parent, contract.CycleInput{})
		require.NoError(t, err)
		started, ended := 0, 0
		for events := c.GetWorkflowHistory(t.Context(), role, "", true, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
			event, err := events.Next()
			require.NoError(t, err)
			switch event.EventType {
			case enums.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
				if started++; started == 2 {
					require.NoError(t, c.CancelWorkflow(t.Context(), role, ""))
				}
			case enums.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
				ended++
			}
		}
		var cancelled *temporal.CanceledError
		require.ErrorAs(t, run.Get(t.Context(), nil), &cancelled)
		require.Equal(t, 2, ended)
	})
}

// A child owns files and may be in the middle of a push: it outlives its parent, which says so, and is recognised in lists.
func TestChildrenOutliveTheirParent(t *testing.T) {
	t.Parallel()
	const goOn = "go on"
	c := standIn(t, func(ctx workflow.Context) error {
		workflow.GetSignalChannel(ctx, goOn).Receive(ctx, nil)
		return nil
	})
	onBothSides(t, func(t *testing.T, role string) {
		impatient := contract.CycleInput{Limits: contract.Limits{WaitSeconds: 1}}
		run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: role, TaskQueue: scriptQueue}, bothSides[role].parent, impatient)
		require.NoError(t, err)
		var r contract.Report
		require.NoError(t, run.Get(t.Context(), &r))
		ok := bothSides[role].childID(branch("ok"))
		require.Equal(t, []string{ok, bothSides[role].childID(branch("fails"))}, r.Running)
		for _, id := range r.Running {
			require.NoError(t, c.SignalWorkflow(t.Context(), id, "", goOn, nil))
			require.NoError(t, c.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil))
		}

		value, err := c.QueryWorkflow(t.Context(), role, "", "__temporal_workflow_metadata")
		require.NoError(t, err)
		var metadata sdk.WorkflowMetadata
		require.NoError(t, value.Get(&metadata))
		require.Equal(t, "0 of 2 syncs done, 2 at work, 0 failed", metadata.GetCurrentDetails())

		d, err := c.DescribeWorkflow(t.Context(), ok, "")
		require.NoError(t, err)
		summary, err := d.GetStaticSummary()
		require.NoError(t, err)
		require.Contains(t, summary, "group/ok@main: ")
		memo := map[string]string{}
		for name, value := range d.Memo.GetFields() {
			var text string
			require.NoError(t, converter.GetDefaultDataConverter().FromPayload(value, &text))
			memo[name] = text
		}
		require.Equal(t, map[string]string{"role": role, "destination": "group/ok@main"}, memo)
	})
}
