package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const (
	// maxAsked is how many workflows Temporal is asked for at a time.
	maxAsked = 8
	// maxRunsAsked bounds of how many syncs the last runs are looked at.
	maxRunsAsked = 2_000
)

// lastRun is how the last run of the workflow that moves a sync went. The zero value is of one that never ran, as far as is known.
type lastRun struct {
	id, run string
	status  enums.WorkflowExecutionStatus
	// began and ended are by the server's clock; ended is zero as long as it runs.
	began, ended time.Time
	kind, reason string // of what it failed with
}

// failed tells whether it has ended so that it may be run again: also by somebody's hand.
func (r lastRun) failed() bool {
	switch r.status {
	case enums.WORKFLOW_EXECUTION_STATUS_FAILED, enums.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
		enums.WORKFLOW_EXECUTION_STATUS_CANCELED, enums.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return true
	}
	return false
}

func (r lastRun) running() bool { return r.status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING }

// lastRunOf asks for the last run of a sync's workflow.
func (s roleClient) lastRunOf(ctx context.Context, destination project.Branch) (last lastRun, err error) {
	last.id = s.ChildID(destination)
	described, err := s.DescribeWorkflowExecution(ctx, last.id, "")
	if _, never := errors.AsType[*serviceerror.NotFound](err); never {
		return last, nil
	}
	if err != nil {
		return last, fmt.Errorf("describe %s: %w", last.id, err)
	}
	info := described.GetWorkflowExecutionInfo()
	last.run, last.status, last.began = info.GetExecution().GetRunId(), info.GetStatus(), info.GetStartTime().AsTime()
	if end := info.GetCloseTime(); end != nil {
		last.ended = end.AsTime()
	}
	if !last.failed() {
		return last, nil
	}
	err = s.GetWorkflow(ctx, last.id, last.run).Get(ctx, nil)
	if ctx.Err() != nil {
		return last, ctx.Err()
	}
	if err != nil {
		last.kind, last.reason = contract.FailureOf(err)
	}
	return last, nil
}

// destinationInMemo is the destination that a sync's workflow says it moves; empty if it does not say it.
func destinationInMemo(run *workflow.WorkflowExecutionInfo) (destination string) {
	_ = json.Unmarshal(run.GetMemo().GetFields()["destination"].GetData(), &destination)
	return destination
}

// lastRuns asks for the last runs of several syncs' workflows, in their order.
func (s roleClient) lastRuns(ctx context.Context, destinations []project.Branch) ([]lastRun, error) {
	runs := make([]lastRun, len(destinations))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxAsked)
	for i, destination := range destinations {
		group.Go(func() (err error) {
			runs[i], err = s.lastRunOf(ctx, destination)
			return err
		})
	}
	return runs, group.Wait()
}
