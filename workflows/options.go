package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/retries"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// hostTimeout is how long a step waits for the worker that holds its files. A live worker starts it at once, so a
// longer wait means that the worker is gone.
const hostTimeout = 30 * time.Second

// namedTimer is a timer that says in the UI what it is for.
func namedTimer(ctx workflow.Context, d time.Duration, summary string) workflow.Future {
	return workflow.NewTimerWithOptions(ctx, d, workflow.TimerOptions{Summary: summaryText(summary)})
}

// retryPolicy is for what a worker cannot say itself, as it was lost. In all other failures a worker says whether and when to try
// again (activities.ErrorNaming), by the same budgets.
func retryPolicy() *temporal.RetryPolicy {
	passing := retries.Passing.Budget()
	return &temporal.RetryPolicy{
		InitialInterval: passing.First, BackoffCoefficient: retries.Factor, MaximumInterval: passing.Longest, MaximumAttempts: int32(passing.Attempts),
	}
}

// scanContext is for activities that only read. They have a task queue of their own, so that they do not wait for
// steps.
func scanContext(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		Summary:             summaryText(summary),
		TaskQueue:           contract.ScanQueue(workflow.GetInfo(ctx).TaskQueueName),
		StartToCloseTimeout: 15 * time.Minute,
		HeartbeatTimeout:    30 * time.Second,
		WaitForCancellation: true,
		RetryPolicy:         retryPolicy(),
	})
}

// notifyContext is for telling people. A receiver that does not answer keeps the cycle from its end for no more than a minute.
func notifyContext(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		Summary:                summaryText(summary),
		TaskQueue:              contract.ScanQueue(workflow.GetInfo(ctx).TaskQueueName),
		StartToCloseTimeout:    15 * time.Second,
		ScheduleToCloseTimeout: time.Minute,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 2 * time.Second, BackoffCoefficient: 2, MaximumAttempts: 4},
	})
}

// transferContext is for steps that move a repository's bytes. Their heartbeats report progress, so that a step that
// hangs is noticed long before it times out.
func transferContext(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, transferOptions(summary))
}

func transferOptions(summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		Summary:             summaryText(summary),
		StartToCloseTimeout: 6 * time.Hour,
		HeartbeatTimeout:    30 * time.Second,
		WaitForCancellation: true,
		RetryPolicy:         retryPolicy(),
	}
}

// hostTransferContext is transferContext on the worker that holds the files.
func hostTransferContext(ctx workflow.Context, host, summary string) workflow.Context {
	options := transferOptions(summary)
	options.TaskQueue = host
	options.ScheduleToStartTimeout = hostTimeout
	return workflow.WithActivityOptions(ctx, options)
}

// hostCleanupContext is for removing a run's files. If the worker is gone, so are the files, or the next worker that
// starts there removes them.
func hostCleanupContext(ctx workflow.Context, host string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		Summary:                "remove the run's files",
		TaskQueue:              host,
		ScheduleToStartTimeout: 10 * time.Second,
		StartToCloseTimeout:    time.Minute,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 3},
	})
}
