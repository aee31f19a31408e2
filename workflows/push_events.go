package workflows

import (
	"errors"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const (
	// maxBatches run at a time.
	maxBatches = 4
	// batchWaitSeconds is how long a batch waits for its children. A slow one keeps the others' next pushes waiting so long.
	batchWaitSeconds = 30
)

// PushEvents hastens what the next cycle of the schedule would do. Signals name destinations whose sources were pushed to; it
// looks at them in batches, each a ProducerSync of just those, and ends when none is left. A destination is in one batch at a
// time: however often its source is pushed to meanwhile, it is in one more after that.
func PushEvents(ctx workflow.Context, in contract.PushEventsInput) (contract.PushEventsReport, error) {
	if err := requireLock(ctx, contract.PushEventsID); err != nil {
		return contract.PushEventsReport{}, err
	}
	progress, err := showProgress(ctx)
	if err != nil {
		return contract.PushEventsReport{}, err
	}
	e := &pushEvents{report: in.SoFar, queue: newPushQueue()}
	e.add(ctx, in.Pending)
	signals := workflow.GetSignalChannel(ctx, contract.SignalPush)
	for {
		e.receive(ctx, signals)
		full := mustContinueAsNew(ctx)
		for !full && e.batches < maxBatches && e.startBatch(ctx) {
		}
		progress.step("%s at work, %s to look at", activities.CountNoun(e.batches, "batch", "batches"), activities.CountNoun(e.queue.len(), "sync", "syncs"))
		switch {
		case e.batches == 0 && e.queue.len() == 0:
			return e.report, nil
		case e.batches == 0 && full:
			next := contract.PushEventsInput{Pending: e.queue.names(), SoFar: e.report}
			return e.report, workflow.NewContinueAsNewError(ctx, contract.PushEvents, next)
		}
		if err := workflow.Await(ctx, func() bool { return signals.Len() > 0 || e.changed }); err != nil {
			return e.report, e.awaitCancelled(ctx, err)
		}
		e.changed = false
	}
}

// pushEvents is one run of PushEvents.
type pushEvents struct {
	report  contract.PushEventsReport
	queue   *pushQueue
	batches int  // that run
	changed bool // a batch has ended, or a pause is over
}

func (e *pushEvents) receive(ctx workflow.Context, signals workflow.ReceiveChannel) {
	for signals.Len() > 0 {
		var push contract.Push
		if signals.ReceiveAsync(&push) { // else it is none, which the SDK logs
			e.add(ctx, push.Destinations)
		}
	}
}

// add takes in destinations. What is no destination, and what there is no room for, is left to the schedule.
func (e *pushEvents) add(ctx workflow.Context, destinations []string) {
	left := 0
	for _, destination := range destinations {
		if !e.queue.add(destination) {
			left++
		}
	}
	e.drop(ctx, left, activities.DroppedOverflow)
}

func (e *pushEvents) drop(ctx workflow.Context, n int, reason string) {
	if n > 0 {
		e.report.Dropped += n
		activities.CountDropped(workflow.GetMetricsHandler(ctx), n, reason)
	}
}

// startBatch returns false when all that waits is at work already.
func (e *pushEvents) startBatch(ctx workflow.Context) bool {
	batch := e.queue.take()
	if len(batch) == 0 {
		return false
	}
	e.batches++
	workflow.Go(ctx, func(ctx workflow.Context) {
		unfinished := e.runBatch(ctx, batch)
		e.batches--
		e.changed = true
		pause, given := e.queue.finish(batch, unfinished)
		e.drop(ctx, given, activities.DroppedRunning)
		if pause > 0 && namedTimer(ctx, pause, "until syncs that other cycles are at work on are looked at again").Get(ctx, nil) == nil {
			e.queue.resume(unfinished)
			e.changed = true
		}
	})
	return true
}

// runBatch runs a cycle of a batch, unless cycles are not to run, and returns the destinations that it has not come to.
func (e *pushEvents) runBatch(ctx workflow.Context, batch []queued) (unfinished []queued) {
	var common *activities.Common
	var schedule activities.Schedule
	err := workflow.ExecuteActivity(scanContext(ctx, "whether cycles are to run"), common.ReadSchedule).Get(ctx, &schedule)
	switch {
	case err != nil:
		e.drop(ctx, len(batch), activities.DroppedUnknown)
		return nil
	case !schedule.Runs:
		e.drop(ctx, len(batch), activities.DroppedPaused)
		return nil
	}
	e.report.Batches++
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            contract.BatchID(e.report.Batches),
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		ParentClosePolicy:     enums.PARENT_CLOSE_POLICY_ABANDON,
		WaitForCancellation:   true,
		StaticSummary:         summaryText(activities.CountNoun(len(batch), "sync", "syncs") + " pushed to: " + batch[0].name),
	})
	in := contract.CycleInput{SearchAttributes: schedule.SearchAttributes, Limits: contract.Limits{WaitSeconds: batchWaitSeconds}}
	for _, q := range batch {
		in.Only = append(in.Only, q.name)
	}
	var report contract.Report
	err = workflow.ExecuteChildWorkflow(ctx, ProducerSync, in).Get(ctx, &report)
	return e.recordBatch(batch, report, err)
}

// recordBatch takes in how a batch ended, and returns the destinations that it has not come to, or whose children had begun
// before it and may have seen an older state of the source.
func (e *pushEvents) recordBatch(batch []queued, report contract.Report, err error) (unfinished []queued) {
	failed, ok := errors.AsType[*temporal.ApplicationError](err)
	switch {
	case temporal.IsWorkflowExecutionAlreadyStartedError(err): // one that an earlier run of PushEvents was not given the time to wait for
		return batch
	case ok && failed.Type() == plan.KindSyncsFailed && failed.Details(&report) == nil:
		e.report.Failed += report.Count()
	case err != nil:
		e.report.Failed++
	default:
		e.report.Failed += report.Count()
	}
	if report.Deferred+report.Unchecked+report.RunningMore > 0 {
		return batch
	}
	running := make(map[string]bool, len(report.Running))
	for _, id := range report.Running {
		running[id] = true
	}
	for _, q := range batch {
		if running[contract.Producer.ChildID(q.identity)] {
			unfinished = append(unfinished, q)
		}
	}
	return unfinished
}

// awaitCancelled waits until the batches, which were cancelled as well, have ended.
func (e *pushEvents) awaitCancelled(ctx workflow.Context, cause error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err := workflow.Await(ctx, func() bool { return e.batches == 0 }); err != nil {
		return err
	}
	return cause
}
