package command

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

// interrupted is a Temporal whose user presses Ctrl-C when the first history is asked for.
type interrupted struct {
	client.Client
	interrupt context.CancelFunc
}

func (c interrupted) ListWorkflow(context.Context, *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	var runs []*workflow.WorkflowExecutionInfo
	for _, destination := range []string{"a/a@main", "b/b@main"} {
		name, err := converter.GetDefaultDataConverter().ToPayload(destination)
		if err != nil {
			return nil, err
		}
		runs = append(runs, &workflow.WorkflowExecutionInfo{
			Execution: &common.WorkflowExecution{WorkflowId: destination}, Status: enums.WORKFLOW_EXECUTION_STATUS_FAILED,
			Memo: &common.Memo{Fields: map[string]*common.Payload{"destination": name}},
		})
	}
	return &workflowservice.ListWorkflowExecutionsResponse{Executions: runs}, nil
}

func (c interrupted) GetWorkflowHistory(context.Context, string, string, bool, enums.HistoryEventFilterType) client.HistoryEventIterator {
	c.interrupt()
	return noHistory{}
}

type noHistory struct {
	client.HistoryEventIterator
}

func (h noHistory) HasNext() bool { return false }

// Whoever stops waiting is not told that the syncs have failed again.
func TestInterruptedRetry(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	s := roleClient{Client: interrupted{interrupt: interrupt}}
	require.ErrorIs(t, s.retry(ctx, nil), context.Canceled)
}

// GitLab finds a project whatever the case of its path, and so does the starter.
func TestRetryInAnotherSpelling(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	s := roleClient{Client: interrupted{interrupt: interrupt}}
	require.ErrorIs(t, s.retry(ctx, []string{"A/a@main"}), context.Canceled, "it is tried")
	require.ErrorContains(t, s.retry(t.Context(), []string{"a/a@Main"}), "no run of")
}

// A mistyped name is found out before anything is retried.
func TestRetryOfUnknown(t *testing.T) {
	s := roleClient{Client: interrupted{interrupt: func() { t.Error("something was retried") }}}
	require.ErrorContains(t, s.retry(t.Context(), []string{"a/a@main", "a/b@main"}), `no run of "a/b@main" is known`)
}
