package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// hostTimeout is how long a step waits for the worker that holds its files. A live
// worker takes it up at once, so that a longer silence means that it is gone.
const hostTimeout = 30 * time.Second

// scanContext is for the activities that read what is wanted and what is there. They wait for no step: their
// task queue is another one.
func scanContext(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		Summary:             summaryText(summary),
		TaskQueue:           contract.ScanQueue(workflow.GetInfo(ctx).TaskQueueName),
		StartToCloseTimeout: 15 * time.Minute,
		HeartbeatTimeout:    30 * time.Second,
		WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    30 * time.Second,
			MaximumAttempts:    4,
		},
	})
}

// transferContext is for the steps that move a repository's bytes. They say how far they are with
// every heartbeat, so a step that hangs is noticed long before it runs out of time.
func transferContext(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, transferOptions(summary))
}

func transferOptions(summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		Summary:             summaryText(summary),
		StartToCloseTimeout: 6 * time.Hour,
		HeartbeatTimeout:    30 * time.Second,
		WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    2 * time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
			MaximumAttempts:    5,
		},
	}
}

// hostTransferContext is transfer on the worker that holds the files.
func hostTransferContext(ctx workflow.Context, host, summary string) workflow.Context {
	options := transferOptions(summary)
	options.TaskQueue = host
	options.ScheduleToStartTimeout = hostTimeout
	return workflow.WithActivityOptions(ctx, options)
}

// hostCleanupContext is for the removal of a run's files. When the worker is gone so are
// they, or they will be when the next worker starts there.
func hostCleanupContext(ctx workflow.Context, host string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		Summary:                "remove the run's files",
		TaskQueue:              host,
		ScheduleToStartTimeout: 10 * time.Second,
		StartToCloseTimeout:    time.Minute,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 3},
	})
}
