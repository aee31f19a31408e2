package command

import (
	"context"
	"errors"
	"fmt"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// startPoll has the role's workflow run that waits for news between two cycles, if it has one. One that runs already starts
// anew, so that it knows the search attributes.
func (s roleClient) startPoll(ctx context.Context, searchAttributes bool) error {
	if s.Poll == "" {
		return nil
	}
	_, err := s.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: s.PollID, TaskQueue: s.TaskQueue, WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
	}, s.Poll, contract.PollInput{SearchAttributes: searchAttributes})
	if err != nil {
		return fmt.Errorf("start %s: %w", s.PollID, err)
	}
	fmt.Printf("%s waits for news in between\n", s.PollID)
	return nil
}

// stopPoll ends that workflow. What it has started finishes.
func (s roleClient) stopPoll(ctx context.Context) error {
	if s.Poll == "" {
		return nil
	}
	err := s.TerminateWorkflow(ctx, s.PollID, "", "stopped by the starter")
	if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
		return nil
	}
	if err != nil {
		return fmt.Errorf("end workflow %s: %w", s.PollID, err)
	}
	return nil
}

// describePoll shows whether it runs.
func (s roleClient) describePoll(ctx context.Context) error {
	if s.Poll == "" {
		return nil
	}
	described, err := s.DescribeWorkflow(ctx, s.PollID, "")
	_, missing := errors.AsType[*serviceerror.NotFound](err)
	switch {
	case missing || err == nil && described.Status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		fmt.Printf("%s does not run: schedule create starts it\n", s.PollID)
	case err != nil:
		return fmt.Errorf("describe %s: %w", s.PollID, err)
	default:
		fmt.Printf("%s waits for news in between\n", s.PollID)
	}
	return nil
}
