package workflows_test

import (
	"context"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
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

// The view of the documentation shows what is worth a look: cycles that have found something to do, syncs, and what still runs.
func TestViewWithoutIdleCycles(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	found := regexp.MustCompile("(?s)This query hides them.*?```text\n(.*?)\n```").FindSubmatch(text)
	require.NotNil(t, found)
	c := scripted(t, &idleConsumer{newScript()})
	for role, cycle := range map[string]any{"producer-sync": workflows.ProducerSync, "consumer-sync": workflows.ConsumerSync, "consumer-sync-2": workflows.ConsumerSync} {
		run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: role, TaskQueue: scriptQueue}, cycle, contract.CycleInput{})
		require.NoError(t, err)
		_ = run.Get(t.Context(), nil)
	}
	_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "running", TaskQueue: "nobody"}, workflows.ConsumerSync, contract.CycleInput{})
	require.NoError(t, err)
	list := func(query string) (ids []string) {
		answer, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: query})
		require.NoError(t, err)
		for _, execution := range answer.Executions {
			ids = append(ids, execution.GetExecution().GetWorkflowId())
		}
		slices.Sort(ids)
		return ids
	}
	require.Eventually(t, func() bool { return len(list("")) == 6 && len(list(`ExecutionStatus = "Running"`)) == 1 }, 20*time.Second, 50*time.Millisecond)
	require.Equal(t, []string{"produce/group/fails@main", "produce/group/ok@main", "producer-sync", "running"}, list(string(found[1])))
}

// idleConsumer is the script, but for a consumer that has nothing to do.
type idleConsumer struct{ *script }

func (*idleConsumer) PlanPushes(ctx context.Context, r activities.PlanRequest) (plan.Page[plan.Push], error) {
	return (&idle{}).PlanPushes(ctx, r)
}
