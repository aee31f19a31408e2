package workflows

import (
	"cmp"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const (
	// maxLooks is how often a run looks for news before it continues as new. Each look is a few events of its history.
	maxLooks = 200
	// quickWaitSeconds is how long a cycle of what has moved waits for its children. Meanwhile nothing else that moves is
	// looked at; what takes longer is finished without being waited for.
	quickWaitSeconds = 60
)

// ConsumerPoll waits for the producer's catalog to change, and runs a ConsumerSync of what has moved, again and again. It is
// for speed alone: what it misses, the next scheduled cycle finds.
func ConsumerPoll(ctx workflow.Context, in contract.PollInput) error {
	progress, err := showProgress(ctx)
	if err != nil {
		return err
	}
	var consumer *activities.Consumer
	for looks := 1; ; looks++ {
		progress.step("waiting for the producer's catalog to change")
		var news activities.CatalogNews
		if err := workflow.ExecuteActivity(awaitContext(ctx), consumer.AwaitCatalog, in.Seen).Get(ctx, &news); err != nil {
			return err
		}
		in.Seen = news.Seen
		if news.All || len(news.Moved) > 0 {
			progress.step("syncing what has moved")
			if err := syncMoved(ctx, in, news); err != nil {
				return err
			}
		}
		if looks == maxLooks || mustContinueAsNew(ctx) {
			return workflow.NewContinueAsNewError(ctx, workflow.GetInfo(ctx).WorkflowType.Name, in)
		}
	}
}

// syncMoved runs a cycle of what has moved, unless cycles are paused: what has moved is then the next scheduled cycle's. That it
// fails is in its own report, and no reason to stop.
func syncMoved(ctx workflow.Context, in contract.PollInput, news activities.CatalogNews) error {
	var common *activities.Common
	var schedule activities.Schedule
	err := workflow.ExecuteActivity(scanContext(ctx, "whether cycles are to run"), common.ReadSchedule).Get(ctx, &schedule)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil || !schedule.Runs:
		workflow.GetLogger(ctx).Info("Left to the next cycle: cycles are paused, or it is not known whether they are", "error", err)
		return nil
	}
	cycle := contract.CycleInput{SearchAttributes: in.SearchAttributes}
	what := "all syncs"
	if !news.All {
		cycle.WaitSeconds = quickWaitSeconds
		what = activities.CountNoun(len(news.Moved), "sync that has moved", "syncs that have moved")
		for _, b := range news.Moved {
			cycle.Only = append(cycle.Only, b.String())
		}
	}
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            contract.Consumer.PollID + "/sync",
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		ParentClosePolicy:     enums.PARENT_CLOSE_POLICY_TERMINATE, // its own children finish
		WaitForCancellation:   true,
		StaticSummary:         what,
	})
	var report contract.Report
	err = workflow.ExecuteChildWorkflow(child, ConsumerSync, cycle).Get(ctx, &report)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err = cmp.Or(err, report.Err()); err != nil {
		workflow.GetLogger(ctx).Info("The cycle has failed", "error", err)
	}
	return nil
}

// awaitContext is for the activity that waits for news. It is tried again for ever, on another worker when its own is lost.
func awaitContext(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		Summary:             "the producer's catalog",
		TaskQueue:           contract.ScanQueue(workflow.GetInfo(ctx).TaskQueueName),
		StartToCloseTimeout: 2 * time.Hour,
		HeartbeatTimeout:    30 * time.Second,
		WaitForCancellation: true,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
	})
}
