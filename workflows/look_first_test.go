package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// lookingFirst is the first step's work in a run that no parent has started.
func lookingFirst[P any](work activities.Work[P]) activities.Work[P] {
	work.LookFirst, work.HeedPause, work.ShortSteps = true, true, true
	return work
}

// A run that was started by hand ends where its first step finds nothing to do: no other step runs, nothing was staged to remove.
func TestNothingLeftToDo(t *testing.T) {
	const said = "nothing to do: the bucket has abc1234"
	env := environment(t)
	env.OnActivity(producer.Clone, mock.Anything, mock.Anything).Return(activities.Cloned{Nothing: said}, nil).Once()
	produceProject(env, plan.Upload{})
	var uploaded activities.Uploaded
	require.NoError(t, env.GetWorkflowResult(&uploaded))
	require.Equal(t, activities.Uploaded{Summary: said}, uploaded)

	env = environment(t)
	there := activities.Target{Commit: "abc1234"}
	env.OnActivity(consumer.Download, mock.Anything, mock.Anything).Return(activities.Downloaded{Target: there, Nothing: said}, nil).Once()
	consumeProject(env, plan.Push{})
	var pushed activities.Pushed
	require.NoError(t, env.GetWorkflowResult(&pushed))
	require.Equal(t, activities.Pushed{Summary: said, Old: there.Commit, Commit: there.Commit}, pushed)
}

// What a cycle has just planned is done without another look: a plan may want a snapshot of what the bucket has. Whatever repeats
// the run looks first.
func TestPlannedRunsDoNotLookFirst(t *testing.T) {
	t.Parallel()
	s := newScript()
	c := scripted(t, s)
	for _, tt := range []struct {
		role          contract.Role
		parent, child any
		input         any
	}{
		{contract.Producer, workflows.ProducerSync, workflows.ProduceProject, uploadOf("ok")},
		{contract.Consumer, workflows.ConsumerSync, workflows.ConsumeProject, pushOf("ok")},
	} {
		clear(s.looked)
		run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: tt.role.ParentID, TaskQueue: scriptQueue}, tt.parent, contract.CycleInput{})
		require.NoError(t, err)
		require.Error(t, run.Get(t.Context(), nil), "another sync fails")
		id := tt.role.ChildID(branch("ok"))
		require.NoError(t, reset(t, c, id, c.GetWorkflow(t.Context(), id, "").GetRunID(), 0).Get(t.Context(), nil))
		again, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: scriptQueue}, tt.child, tt.input)
		require.NoError(t, err)
		require.NoError(t, again.Get(t.Context(), nil))
		require.Equal(t, []bool{false, true, true}, s.looked["ok"])
	}
}
