package workflows_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// Temporal takes the report, and what is left to do with it, however many branches fail and with however long reasons: else
// the cycle would never end, and no other would begin.
func TestManyFailuresFitIntoTemporal(t *testing.T) {
	const branches, limit = 300, 2 << 20
	failing := func(in contract.ProducerSyncInput, p plan.Uploads) error {
		env := environment(t)
		if in.Rest == nil {
			planned(env, p)
		} else {
			env.SetContinuedExecutionRunID(in.Rest.From)
		}
		env.OnWorkflow(workflows.ProduceProject, mock.Anything, mock.Anything).Return(
			func(workflow.Context, plan.Upload) (activities.Uploaded, error) {
				return activities.Uploaded{}, temporal.NewNonRetryableApplicationError(strings.Repeat("<", 3000), "PushRefused", nil)
			})
		env.ExecuteWorkflow(workflows.ProducerSync, in)
		return env.GetWorkflowError()
	}
	limits := contract.Limits{PageSize: branches / 2}
	next, ok := errors.AsType[*workflow.ContinueAsNewError](failing(contract.ProducerSyncInput{Limits: limits}, plan.Uploads{Uploads: uploads(branches)}))
	require.True(t, ok)
	require.Less(t, len(next.Input.GetPayloads()[0].GetData()), limit/2)
	var rest contract.ProducerSyncInput
	require.NoError(t, json.Unmarshal(next.Input.GetPayloads()[0].GetData(), &rest))

	failure, ok := errors.AsType[*temporal.ApplicationError](failing(rest, plan.Uploads{}))
	require.True(t, ok)
	require.Less(t, len(failure.Message()), limit/10)
	var r contract.Report
	require.NoError(t, failure.Details(&r))
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.Less(t, len(text), limit/2)
	require.Len(t, r.Failed, branches)
	require.Equal(t, strings.Repeat("<", 3000), r.Failed[0].Reason)
	last := r.Failed[branches-1]
	require.Equal(t, "PushRefused", last.Kind)
	require.NotEmpty(t, last.Workflow)
	require.Contains(t, last.Reason, "See the branch's own workflow")
}
