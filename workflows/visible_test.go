package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func status(t *testing.T, env *testsuite.TestWorkflowEnvironment) contract.Status {
	t.Helper()
	value, err := env.QueryWorkflow(contract.QueryStatus)
	require.NoError(t, err)
	var s contract.Status
	require.NoError(t, value.Get(&s))
	return s
}

func TestParentTellsItsStatus(t *testing.T) {
	env := environment(t)
	planned(env, plan.Page[plan.Upload]{Checked: 3, UpToDate: 1, Moves: uploads(2)})
	env.OnWorkflow(workflows.ProduceProject, mock.Anything, mock.Anything).Return(
		func(ctx workflow.Context, u plan.Upload) (activities.Uploaded, error) {
			if u.Sync.Destination.Name == "p0" {
				return activities.Uploaded{}, named("WrongKey")
			}
			return activities.Uploaded{Summary: "snapshot"}, workflow.Sleep(ctx, time.Minute)
		})
	env.OnActivity(producer.Prune, mock.Anything, mock.Anything).Return(activities.Pruned{}, nil)
	env.RegisterDelayedCallback(func() {
		s := status(t, env)
		require.Equal(t, "1 of 2 syncs done, 1 at work, 1 failed", s.Step)
		require.Equal(t, []string{"produce/group/p1@main"}, s.AtWork)
		require.Equal(t, 3, s.Report.Checked)
	}, time.Second)
	env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{})
	require.Error(t, env.GetWorkflowError())
	require.Len(t, status(t, env).Report.Failed, 1)
}

// A child tells the step that it is at, and afterwards where it failed.
func TestChildTellsItsStatus(t *testing.T) {
	type words map[string]string // by the step that fails; "" is none
	for _, side := range []struct {
		words
		run func(*testsuite.TestWorkflowEnvironment)
	}{
		{words{
			"Clone": "cloning group/p@main", "Package": "packaging snapshot", "Encrypt": "encrypting snapshot", "Upload": "uploading snapshot", "": "uploaded snapshot",
		}, func(env *testsuite.TestWorkflowEnvironment) { produceProject(env, uploadOf("p")) }},
		{words{
			"Download": "downloading what group/p@main lacks of p", "Decrypt": "decrypting 1 object", "Push": "pushing  to group/p@main", "": "pushed",
		}, func(env *testsuite.TestWorkflowEnvironment) { consumeProject(env, pushOf("p")) }},
	} {
		for failing, want := range side.words {
			env := environment(t)
			steps(env, map[string]error{failing: named("WrongKey")})
			side.run(env)
			require.Equal(t, failing != "", env.GetWorkflowError() != nil)
			require.Contains(t, status(t, env).Step, want)
		}
	}
}

// Search attributes are set where a plan finds them registered, and where it does not know, on request: where they are not
// registered, the server refuses them.
func TestSearchAttributes(t *testing.T) {
	yes, no := true, false
	for _, tt := range []struct {
		found     *bool
		asked     bool
		wantsThem bool
	}{{nil, true, true}, {nil, false, false}, {&yes, false, true}, {&yes, true, true}, {&no, true, false}, {&no, false, false}} {
		env := environment(t)
		planned(env, plan.Page[plan.Upload]{Moves: uploads(1), SearchAttributes: tt.found})
		steps(env, nil)
		var children int
		env.SetOnChildWorkflowStartedListener(func(_ *workflow.Info, ctx workflow.Context, _ encodedValues) {
			children++
			require.Equal(t, tt.wantsThem, workflow.GetTypedSearchAttributes(ctx).Size() > 0)
		})
		outcome := ""
		env.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Run(func(args mock.Arguments) {
			outcome, _ = args.Get(0).(temporal.SearchAttributes).GetKeyword(contract.AttributeOutcome)
		}).Maybe()
		env.OnActivity(producer.Prune, mock.Anything, mock.Anything).Return(activities.Pruned{}, nil)
		env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{SearchAttributes: tt.asked})
		require.NoError(t, env.GetWorkflowError())
		require.Equal(t, 1, children)
		require.Equal(t, tt.wantsThem, outcome == contract.OutcomeSynced)
	}
}
