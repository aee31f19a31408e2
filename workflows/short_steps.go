package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// shortTimeout is how long a short step may take. It is as long as a step may be silent that is a task.
const shortTimeout = 30 * time.Second

// changeShort is the change since which workers know short steps.
const changeShort = "short-steps"

// areShort tells whether a run's steps are short, as its first step has said. While a side is upgraded, a workflow of the old release
// may have followed that step, and have started the others as tasks: the run goes on like that.
func areShort(ctx workflow.Context, said bool) bool {
	return said && workflow.GetVersion(ctx, changeShort, workflow.DefaultVersion, 1) == 1
}

// onFiles runs a step that needs the run's files and no server. If it is short, the worker that is at the workflow runs it by itself,
// which spares the task and the workflow task after it, two thirds of what a small sync costs Temporal. If that worker does not have
// the files or the step fails, it is a task as any other, with all its tries, for the worker that has them.
func (r *childRun) onFiles(ctx workflow.Context, result, step any, args ...any) error {
	if r.short {
		err := workflow.ExecuteLocalActivity(localContext(ctx), step, args...).Get(ctx, result)
		if err == nil {
			return nil
		}
		r.short = false
	}
	return workflow.ExecuteActivity(ctx, step, args...).Get(ctx, result)
}

// localContext is for the step that the context's activity options are for, as part of a workflow task.
func localContext(ctx workflow.Context) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		Summary:                workflow.GetActivityOptions(ctx).Summary,
		ScheduleToCloseTimeout: shortTimeout,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
	})
}
