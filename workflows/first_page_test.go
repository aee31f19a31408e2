package workflows_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// Only a producer's first page tells what is absent and what is to be deleted: the cycle keeps it through the others.
func TestFirstPageIsNotForgotten(t *testing.T) {
	for name, first := range map[string]plan.Page[plan.Upload]{
		"superseded": {Superseded: 1},
		"LFS":        {LFSDue: []plan.LFSDeletion{{Project: "group/gone"}}},
		"orphans":    {Orphans: plan.Orphans{Due: []project.Branch{branch("gone")}}},
	} {
		env := environment(t)
		env.SetLastCompletionResult(contract.Report{Absence: absence("before")})
		first.Orphans.Absence = absence("gone")
		env.OnActivity(producer.PlanUploads, mock.Anything, mock.Anything).Return(func(_ context.Context, r activities.PlanRequest) (plan.Page[plan.Upload], error) {
			if r.After > 0 {
				require.Empty(t, r.Absence, "it was told with the first")
				return plan.Page[plan.Upload]{Checked: 1, Reached: 2}, nil
			}
			require.Equal(t, absence("before"), r.Absence)
			first.Checked, first.Reached, first.Left = 1, 1, 1
			return first, nil
		}).Twice()
		env.OnActivity(producer.Prune, mock.Anything, activities.PruneRequest{Absence: absence("gone")}).Return(activities.Pruned{Absence: absence("gone"), Keys: []string{name}}, nil).Once()
		env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{})
		r := report(t, env)
		require.Equal(t, absence("gone"), r.Absence, name)
		require.Equal(t, []string{name}, r.Pruned)
	}
}
