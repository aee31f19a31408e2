package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"
	"go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func retryCommand() *cli.Command {
	return &cli.Command{
		Name:      "retry",
		Usage:     "run failed syncs again, without waiting for the next cycle",
		ArgsUsage: "DESTINATION... (group/name@branch)",
		Flags:     []cli.Flag{&cli.BoolFlag{Name: "all", Usage: "every sync whose last run has failed"}},
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Bool("all") == c.Args().Present() {
				return errors.New("name the destinations to retry, or say --all")
			}
			return withClient(func(ctx context.Context, c *cli.Command, s roleClient) error {
				return s.retry(ctx, c.Args().Slice())
			})(ctx, c)
		},
	}
}

// retryableStatuses are the statuses of runs that may be tried again.
var retryableStatuses = []enums.WorkflowExecutionStatus{
	enums.WORKFLOW_EXECUTION_STATUS_FAILED, enums.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
	enums.WORKFLOW_EXECUTION_STATUS_CANCELED, enums.WORKFLOW_EXECUTION_STATUS_TERMINATED,
}

// retry resets the last runs of the destinations' children to their beginning, like the UI's Reset, and waits for
// them. Without destinations, it takes those whose last run failed.
func (s roleClient) retry(ctx context.Context, destinations []string) error {
	runs, err := s.lastRuns(ctx)
	if err != nil {
		return err
	}
	if len(destinations) == 0 {
		for _, run := range runs {
			if slices.Contains(retryableStatuses, run.Status) {
				destinations = append(destinations, destinationInMemo(run))
			}
		}
		slices.Sort(destinations)
	}
	for _, destination := range destinations { // all, before any is retried
		run := runs[destinationIdentity(destination)]
		if run == nil {
			return fmt.Errorf("no run of %q is known: see the command status", destination)
		}
		if !slices.Contains(retryableStatuses, run.Status) {
			return fmt.Errorf("the last run of %q has not failed: it is %s", destination, run.Status)
		}
	}
	var failed []string
	for _, destination := range destinations {
		if err := s.reset(ctx, runs[destinationIdentity(destination)]); err != nil {
			if ctx.Err() != nil {
				return ctx.Err() // neither this sync nor the remaining ones have failed
			}
			_, reason := contract.FailureOf(err)
			printForeign(os.Stdout, "failed", destination+": "+reason)
			failed = append(failed, destination)
			continue
		}
		printForeign(os.Stdout, "synced", destination)
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d failed again", len(failed), len(destinations))
	}
	fmt.Printf("%d retried\n", len(destinations))
	return nil
}

// reset runs an execution again from its first workflow task, and waits for it.
func (s roleClient) reset(ctx context.Context, run *workflow.WorkflowExecutionInfo) error {
	first, err := s.firstTask(ctx, run.Execution)
	if err != nil {
		return err
	}
	answer, err := s.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:                 s.namespace,
		WorkflowExecution:         run.Execution,
		Reason:                    "retried by the starter",
		WorkflowTaskFinishEventId: first,
		RequestId:                 uuid.NewString(),
	})
	if err != nil {
		return fmt.Errorf("reset %s: %w", run.Execution.WorkflowId, err)
	}
	return s.GetWorkflow(ctx, run.Execution.WorkflowId, answer.RunId).Get(ctx, nil)
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
