package workflows_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// Each page of a cycle of some destinations is a plan of these. It deletes nothing, whatever it has uploaded, and keeps
// what cycles of all remember.
func TestCycleOfSomeDestinations(t *testing.T) {
	env := environment(t)
	env.SetLastCompletionResult(contract.Report{Absence: absence("gone")})
	in := contract.CycleInput{Only: []string{"group/p0@main", "group/p1@refs/heads/x"}}
	want := []project.Branch{branch("p0"), {Group: "group", Name: "p1", Branch: "x"}}
	env.OnActivity(producer.PlanUploads, mock.Anything, mock.MatchedBy(func(r activities.PlanRequest) bool {
		return slices.Equal(r.Only, want)
	})).Return(plan.Page[plan.Upload]{Checked: 1, Moves: uploads(1), Reached: 1, Superseded: 3}, nil).Once()
	env.OnWorkflow(workflows.ProduceProject, mock.Anything, mock.Anything).Return(activities.Uploaded{Summary: "done"}, nil)
	env.ExecuteWorkflow(workflows.ProducerSync, in) // no call of Prune is expected
	require.NoError(t, env.GetWorkflowError())
	require.Len(t, report(t, env).Synced, 1)
	require.Equal(t, absence("gone"), report(t, env).Absence)
}

func TestNamesOfDestinationsAreChecked(t *testing.T) {
	for text, only := range map[string][]string{
		`only: "main" is not a branch`:                             {"group/p@main", "main"},
		"only: 201 destinations are named, more than 200":          strings.Split(strings.Repeat("group/p@main ", 201), " ")[:201],
		`only: "group/p@.." is not a branch (group/name@branch): `: {"group/p@.."},
	} {
		for _, parent := range []any{workflows.ProducerSync, workflows.ConsumerSync} {
			env := environment(t)
			env.ExecuteWorkflow(parent, contract.CycleInput{Only: only})
			requireInvalidInput(t, env, text)
		}
	}
}

// A person who names destinations has them tried at once, whatever has come of them before. What a push event, a poll or a
// schedule names has something new to it, or can wait.
func TestPersonsInsist(t *testing.T) {
	for name, tt := range map[string]struct {
		start func(*testsuite.TestWorkflowEnvironment, contract.CycleInput)
		in    contract.CycleInput
		want  bool
	}{
		"by hand":       {byHand, contract.CycleInput{Only: []string{"group/p0@main"}}, true},
		"all of them":   {byHand, contract.CycleInput{}, false},
		"only a plan":   {byHand, contract.CycleInput{Only: []string{"group/p0@main"}, DryRun: true}, false},
		"by a cron":     {byCron, contract.CycleInput{Only: []string{"group/p0@main"}}, false},
		"by a workflow": {byWorkflow, contract.CycleInput{Only: []string{"group/p0@main"}}, false},
	} {
		env := environment(t)
		var insists []bool
		env.OnActivity(producer.PlanUploads, mock.Anything, mock.Anything).Run(func(args mock.Arguments) {
			insists = append(insists, args.Get(1).(activities.PlanRequest).Insist)
		}).Return(plan.Page[plan.Upload]{Checked: 1}, nil)
		tt.start(env, tt.in)
		require.NoError(t, env.GetWorkflowError(), name)
		require.Equal(t, []bool{tt.want}, insists, name)
	}
}

func byHand(env *testsuite.TestWorkflowEnvironment, in contract.CycleInput) {
	env.ExecuteWorkflow(workflows.ProducerSync, in)
}

func byCron(env *testsuite.TestWorkflowEnvironment, in contract.CycleInput) {
	intercept(env, &told{say: func(info *workflow.Info) { info.CronSchedule = "@every 5m" }})
	env.ExecuteWorkflow(workflows.ProducerSync, in)
}

func byWorkflow(env *testsuite.TestWorkflowEnvironment, in contract.CycleInput) {
	parent := func(ctx workflow.Context) error {
		ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: "batch"})
		return workflow.ExecuteChildWorkflow(ctx, workflows.ProducerSync, in).Get(ctx, nil)
	}
	env.RegisterWorkflow(parent)
	env.ExecuteWorkflow(parent)
}
