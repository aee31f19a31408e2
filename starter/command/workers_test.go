package command

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// waitingStep is a Temporal where a step of a workflow waits for a worker that was heard of at a time.
type waitingStep struct {
	client.Client
	polled time.Time
}

func (s *waitingStep) DescribeTaskQueue(context.Context, string, enums.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error) {
	return &workflowservice.DescribeTaskQueueResponse{Pollers: []*taskqueue.PollerInfo{{LastAccessTime: timestamppb.New(s.polled)}}}, nil
}

func (s *waitingStep) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return &workflowservice.DescribeWorkflowExecutionResponse{PendingWorkflowTask: &workflow.PendingWorkflowTaskInfo{
		State: enums.PENDING_WORKFLOW_TASK_STATE_SCHEDULED, ScheduledTime: timestamppb.New(time.Unix(1, 0)),
	}}, nil
}

// A worker on a busy machine takes a step up late. As long as it asks for work, it has not been stopped.
func TestBusyWorkerIsThere(t *testing.T) {
	t.Parallel()
	server := &waitingStep{polled: time.Unix(1, 0)}
	watch := workerWatch{roleClient: roleClient{Client: server, Role: contract.Consumer}, id: "consume/g/a@main"}
	missing := func() string {
		t.Helper()
		said, err := watch.missing(t.Context())
		require.NoError(t, err)
		return said
	}
	later := func() { // by so much that a worker is missed
		watch.task.since = watch.task.since.Add(-workersLookedAt)
		for queue, seen := range watch.polls {
			seen.since = seen.since.Add(-workersLookedAt)
			watch.polls[queue] = seen
		}
	}
	require.Empty(t, missing(), "one look tells nothing")
	for range 3 {
		later()
		server.polled = server.polled.Add(time.Second)
		require.Empty(t, missing(), "it asks for work")
	}
	later()
	require.Contains(t, missing(), "no worker takes up consume/g/a@main")
}
