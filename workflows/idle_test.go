package workflows_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// idle is both sides, of which nothing has to move.
type idle struct{ *script }

func (*idle) PlanUploads(context.Context, activities.PlanRequest) (plan.Page[plan.Upload], error) {
	return plan.Page[plan.Upload]{Checked: 1000, UpToDate: 1000}, nil
}

func (*idle) PlanPushes(context.Context, activities.PlanRequest) (plan.Page[plan.Push], error) {
	return plan.Page[plan.Push]{Checked: 1000, UpToDate: 1000}, nil
}

// A cycle in which nothing moves costs a server eleven events, however many syncs there are, and whatever is written beside them.
func TestEventsOfAnIdleCycle(t *testing.T) {
	t.Parallel()
	c := scripted(t, &idle{newScript()})
	for id, cycle := range map[string]any{"producer-sync": workflows.ProducerSync, "consumer-sync": workflows.ConsumerSync} {
		run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: scriptQueue}, cycle, contract.CycleInput{})
		require.NoError(t, err)
		require.NoError(t, run.Get(t.Context(), nil))
		require.Len(t, fetch(t, c, id, run.GetRunID()).Events, 11, id)
	}
}
