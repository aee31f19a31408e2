package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A cron's run ends its cycle when its history has more events or bytes than this. A server ends a workflow at 51,200
// events or 50 MiB; a page adds at most a tenth of that.
const (
	maxCronEvents = 20_000
	maxCronSize   = 20 << 20
)

// mustContinueAsNew tells whether the history is long. The server decides that, by default at 4,096 events or 4 MiB.
func mustContinueAsNew(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.CronSchedule == "" && info.GetContinueAsNewSuggested()
}

// cronHistoryIsFull tells whether a cron's cycle has to end because its history is long. It cannot continue as new:
// the SDK would do that without the cron schedule, which would end the cron for good. The next cycle visits the
// branches in another order.
func cronHistoryIsFull(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.CronSchedule != "" && (info.GetCurrentHistoryLength() > maxCronEvents || info.GetCurrentHistorySize() > maxCronSize)
}

// isContinuation tells whether a run continues the previous run's cycle. Only the server knows that there was a
// previous run. It also says so of a cron's next run, which never continues a cycle, and of a retry, which begins a
// new one.
func isContinuation(ctx workflow.Context, in contract.CycleInput) (bool, error) {
	info := workflow.GetInfo(ctx)
	switch {
	case in.From != nil && !in.DryRun:
		return false, invalidInput("\"from\" is for a dry run: a cycle begins with all syncs")
	case in.Continuation == nil:
		return false, nil
	case info.ContinuedExecutionRunID == "" || info.CronSchedule != "":
		return false, invalidInput("this run continues none, but its input has \"continuation\"\nStart it without: a cycle finds out itself what is to do.")
	}
	return info.Attempt <= 1, nil
}
