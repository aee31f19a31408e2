package workflows_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

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
