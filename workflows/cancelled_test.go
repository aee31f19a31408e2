package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A cancelled cycle ends after its children, also on a real server, where a parent can end before them.
func TestCancelledCycleEndsAfterItsChildren(t *testing.T) {
	untilCancelled := func(ctx workflow.Context, _ any) error {
		cancelled := workflow.Await(ctx, func() bool { return false })
		ctx, cancel := workflow.NewDisconnectedContext(ctx)
		defer cancel()
		if err := workflow.Sleep(ctx, time.Millisecond); err != nil { // as long as it takes to remove files
			return err
		}
		return cancelled
	}
	c := worked(t, newScript(), func(r workflows.Registry) {
		r.RegisterWorkflow(workflows.ProducerSync)
		r.RegisterWorkflow(workflows.ConsumerSync)
		for _, name := range []string{contract.Producer.Child, contract.Consumer.Child} {
			r.(worker.Worker).RegisterWorkflowWithOptions(untilCancelled, workflow.RegisterOptions{Name: name})
		}
	})
	onBothSides(t, func(t *testing.T, role string) {
		run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: role, TaskQueue: scriptQueue}, bothSides[role].parent, contract.CycleInput{})
		require.NoError(t, err)
		const children = 2
		started, ended := 0, 0
		for events := c.GetWorkflowHistory(t.Context(), role, "", true, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
			event, err := events.Next()
			require.NoError(t, err)
			switch event.EventType {
			case enums.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
				if started++; started == children {
					require.NoError(t, c.CancelWorkflow(t.Context(), role, ""))
				}
			case enums.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
				ended++
			}
		}
		var cancelled *temporal.CanceledError
		require.ErrorAs(t, run.Get(t.Context(), nil), &cancelled)
		require.Equal(t, children, ended)
	})
}
