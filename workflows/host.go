package workflows

import (
	"errors"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
)

// maxHosts bounds how often a run starts over because it lost its worker.
const maxHosts = 3

// onOneHost runs steps that hand each other files on a worker's disk. When the worker is lost, and the files with it,
// all steps run again from the first. They also run again after an operator has reset the execution to an event after
// their failure, because that failure is then part of the history.
func onOneHost[R any](ctx workflow.Context, steps func(workflow.Context) (R, error)) (result R, err error) {
	current := workflow.GetInfo(ctx).WorkflowExecution.RunID
	for host := 1; ; host++ {
		// A reset makes a new run, which inherits the side effects of the earlier one.
		var begun string
		recorded := workflow.SideEffect(ctx, func(workflow.Context) any { return current })
		if err = recorded.Get(&begun); err != nil {
			return result, err
		}
		result, err = steps(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			return result, err
		case begun != current:
			host = 0
		case !filesLost(err) || host == maxHosts:
			return result, err
		}
		workflow.GetLogger(ctx).Warn("Starting over", "error", err)
	}
}

// mustLookFirst tells whether nobody has just planned what a run is to do: it was reset, or started by hand.
func mustLookFirst(ctx workflow.Context) bool {
	return isRepetition(ctx) || workflow.GetInfo(ctx).ParentWorkflowExecution == nil
}

// filesLost tells whether a failure only means that the run's files are gone.
func filesLost(err error) bool {
	timeout, ok := errors.AsType[*temporal.TimeoutError](err)
	if ok {
		return timeout.TimeoutType() == enums.TIMEOUT_TYPE_SCHEDULE_TO_START
	}
	return isKind(err, activities.KindStagedFileMissing)
}

// isKind tells whether an activity failed with the named kind of failure.
func isKind(err error, kind string) bool {
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && failure.Type() == kind
}

// cleanup removes a run's files, also if the run was cancelled. If it fails, the run does not.
func (r *childRun) cleanup(ctx workflow.Context, staged activities.Staged) {
	var common *activities.Common
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err := r.onFiles(hostCleanupContext(ctx, staged.Host), nil, common.Cleanup, staged); err != nil {
		workflow.GetLogger(ctx).Warn("The run's files were not removed: the next worker to start there will", "error", err)
	}
}
