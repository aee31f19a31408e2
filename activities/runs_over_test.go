package activities

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// runIndex stands in for Temporal: it knows runs, and is told what it is asked.
type runIndex struct {
	client.Client
	knows map[string]enums.WorkflowExecutionStatus
	asked []*workflowservice.ListWorkflowExecutionsRequest
	err   error
}

func (i *runIndex) ListWorkflow(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	i.asked = append(i.asked, r)
	answer := &workflowservice.ListWorkflowExecutionsResponse{}
	for run, status := range i.knows {
		answer.Executions = append(answer.Executions, &workflow.WorkflowExecutionInfo{Execution: &common.WorkflowExecution{RunId: run}, Status: status})
	}
	return answer, i.err
}

// The files of a run are removed when it has ended, and when nobody knows it any more. Those of a run that goes on are not.
func TestRunsOver(t *testing.T) {
	t.Parallel()
	ended, failed, running, justStarted, forgotten := uuid.NewString(), uuid.NewString(), uuid.NewString(), uuid.NewString(), uuid.NewString()
	notOurs := uuid.NewString()
	index := &runIndex{knows: map[string]enums.WorkflowExecutionStatus{
		ended: enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, failed: enums.WORKFLOW_EXECUTION_STATUS_FAILED, notOurs: enums.WORKFLOW_EXECUTION_STATUS_COMPLETED,
		running: enums.WORKFLOW_EXECUTION_STATUS_RUNNING,
	}}
	now, longAgo := time.Now().Add(-unknownRunAge+time.Minute), time.Now().Add(-unknownRunAge-time.Minute)
	runs := map[string]time.Time{
		ended: now, failed + ".FIRST": longAgo, failed + ".SECOND": longAgo, running + ".FIRST": longAgo, justStarted + ".FIRST": now, forgotten + ".FIRST": longAgo,
		"' OR RunId != '": longAgo,
	}
	over, err := RunsOver(index)(t.Context(), runs)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{ended, failed + ".FIRST", failed + ".SECOND", forgotten + ".FIRST"}, over)
	require.Len(t, index.asked, 1)
	require.EqualValues(t, 5, index.asked[0].GetPageSize(), "all of them in one answer")
	for _, run := range []string{ended, failed, running, justStarted, forgotten} {
		require.Contains(t, index.asked[0].GetQuery(), "'"+run+"'")
	}
	require.NotContains(t, index.asked[0].GetQuery(), " OR ")
}

func TestRunsOverWithoutAnswer(t *testing.T) {
	t.Parallel()
	down := errors.New("unavailable")
	index := &runIndex{err: down}
	over, err := RunsOver(index)(t.Context(), map[string]time.Time{uuid.NewString(): {}})
	require.ErrorIs(t, err, down)
	require.Empty(t, over, "nothing is removed that may be in use")

	over, err = RunsOver(index)(t.Context(), map[string]time.Time{"lost+found": {}})
	require.NoError(t, err)
	require.Empty(t, over)
	require.Len(t, index.asked, 1, "there is nothing to ask")
}
