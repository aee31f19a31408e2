package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// retryOne runs one sync again, and returns what it did, or what it failed with. One that cycles would leave alone for now, because
// its last run was refused, is reset to that run's beginning, like with the UI's Reset. All others are run by a cycle of that sync
// only, which plans anew: what the last run was to do may be done since.
func (s roleClient) retryOne(ctx context.Context, b syncStatus) (summary string, failed *plan.Failure, err error) {
	if b.Kind == "" || b.Kind != b.LastErrorKind {
		return s.runOnly(ctx, b.Destination)
	}
	destination, err := project.ParseBranch(b.Destination)
	if err != nil {
		return "", nil, err
	}
	last, err := s.lastRunOf(ctx, destination)
	if err != nil {
		return "", nil, err
	}
	outcome, err := s.reset(ctx, last)
	if _, waits := errors.AsType[*ending](err); err == nil || waits || ctx.Err() != nil { // who waits no longer knows of no failure
		return outcome.Summary, nil, err
	}
	failed = &plan.Failure{Subject: b.Destination, Workflow: last.id}
	failed.Kind, failed.Reason = contract.FailureOf(err)
	return "", failed, nil
}

// runOnly runs a cycle of one sync.
func (s roleClient) runOnly(ctx context.Context, destination string) (summary string, failed *plan.Failure, err error) {
	report, err := s.runOnce(ctx, contract.CycleInput{Only: []string{destination}, Limits: contract.Limits{WaitSeconds: longestWait}}, false)
	if err != nil {
		return "", nil, err
	}
	for _, f := range report.Failed {
		if destinationIdentity(f.Subject) == destinationIdentity(destination) {
			return "", &f, nil
		}
	}
	for _, line := range report.Synced {
		if name, summary, _ := strings.Cut(line, ": "); destinationIdentity(name) == destinationIdentity(destination) {
			return summary, nil, nil
		}
	}
	return report.String(), nil, nil // such as that it had nothing to do, or is at work
}

// reset runs an execution again from its first workflow task, and waits for it.
func (s roleClient) reset(ctx context.Context, last lastRun) (outcome contract.Outcome, err error) {
	execution := &common.WorkflowExecution{WorkflowId: last.id, RunId: last.run}
	first, err := s.firstTask(ctx, execution)
	if err != nil {
		return outcome, err
	}
	answer, err := s.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:                 s.namespace,
		WorkflowExecution:         execution,
		Reason:                    "retried by the starter",
		WorkflowTaskFinishEventId: first,
		RequestId:                 uuid.NewString(),
	})
	if err != nil {
		return outcome, fmt.Errorf("reset %s: %w", last.id, err)
	}
	return outcome, s.waitFor(ctx, s.GetWorkflow(ctx, last.id, answer.RunId), &outcome)
}

// firstTask returns the event to which an execution has to be reset to do everything again.
func (s roleClient) firstTask(ctx context.Context, run *common.WorkflowExecution) (int64, error) {
	events := s.GetWorkflowHistory(ctx, run.WorkflowId, run.RunId, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return 0, fmt.Errorf("history of %s: %w", run.WorkflowId, err)
		}
		if event.EventType == enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			return event.EventId, nil
		}
	}
	return 0, fmt.Errorf("%s has not begun: is a worker running?", run.WorkflowId)
}
