package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// checkSource stands for a step that a later release adds before the others.
func checkSource(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	return workflow.ExecuteActivity(ctx, "CheckSource").Get(ctx, nil)
}

// withStep is ProduceProject as that release would have it, by the recipe of docs/contributing.md, and withStepAtOnce is what the recipe
// is against.
func withStep(ctx workflow.Context, upload plan.Upload) (uploaded activities.Uploaded, err error) {
	if workflow.GetVersion(ctx, "check-source", workflow.DefaultVersion, 1) == 1 {
		if err := checkSource(ctx); err != nil {
			return uploaded, err
		}
	}
	return workflows.ProduceProject(ctx, upload)
}

func withStepAtOnce(ctx workflow.Context, upload plan.Upload) (uploaded activities.Uploaded, err error) {
	if err := checkSource(ctx); err != nil {
		return uploaded, err
	}
	return workflows.ProduceProject(ctx, upload)
}

// A run that is in flight when a step is added goes on without it, and a new one has it.
func TestAddedStep(t *testing.T) {
	t.Parallel()
	named := workflow.RegisterOptions{Name: contract.Producer.Child}
	replayAs := func(history *historypb.History, code any) error {
		r := worker.NewWorkflowReplayer()
		r.RegisterWorkflowWithOptions(code, named)
		return replayOn(r, history)
	}
	before := recordedHistory(t, "produce-project.json")
	require.NoError(t, replayAs(before, withStep))
	require.ErrorContains(t, replayAs(before, withStepAtOnce), "TMPRL1100", "the run would get stuck")

	c, err := client.Dial(client.Options{HostPort: devServer(t).FrontendHostPort(), Logger: quiet})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	w := worker.New(c, scriptQueue, worker.Options{DeadlockDetectionTimeout: noDeadlock})
	w.RegisterWorkflowWithOptions(withStep, named)
	w.RegisterActivity(newScript())
	checked := 0
	w.RegisterActivityWithOptions(func(context.Context) error { checked++; return nil }, activity.RegisterOptions{Name: "CheckSource"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	id := contract.Producer.ChildID(branch("ok"))
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: scriptQueue}, contract.Producer.Child, uploadOf("ok"))
	require.NoError(t, err)
	require.NoError(t, run.Get(t.Context(), nil))
	require.Equal(t, 1, checked)
	after := fetch(t, c, id, run.GetRunID())
	require.NoError(t, replayAs(after, withStep))
	require.Error(t, replayAs(after, workflows.ProduceProject), "the release before cannot take it over")
}
