package command

import (
	"context"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const (
	// maxRunsShown is how many of a sync's last runs are shown, and maxRunsListed of how many it is looked whether they failed.
	maxRunsShown  = 10
	maxRunsListed = 1_000
)

// runStatus is one run of the workflow that moves a sync.
type runStatus struct {
	Run     string    `json:"run"`
	Began   time.Time `json:"began"`
	Took    float64   `json:"took_seconds,omitempty"` // until its end, or by now
	Outcome string    `json:"outcome"`                // such as Completed or Failed, as Temporal has it
	// Kind is that of the failure; empty if it has not failed. Summary is what the run did, or what it failed with, in a line.
	Kind    string `json:"kind,omitempty"`
	Summary string `json:"summary,omitempty"`

	status enums.WorkflowExecutionStatus
	end    time.Time
	text   string // of the failure, with what to do
}

func (r runStatus) ended() time.Time { return r.end }

func (r runStatus) hasFailed() bool {
	switch r.status {
	case enums.WORKFLOW_EXECUTION_STATUS_FAILED, enums.WORKFLOW_EXECUTION_STATUS_TIMED_OUT, enums.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return true
	}
	return false
}

// listRuns lists the last runs of a workflow, the newest first.
func (s roleClient) listRuns(ctx context.Context, id string) (runs []runStatus, err error) {
	answer, err := s.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: s.namespace, PageSize: maxRunsListed, Query: fmt.Sprintf("WorkflowId = %q", id),
	})
	if err != nil {
		return nil, fmt.Errorf("list the runs of %s: %w", id, err)
	}
	for _, info := range answer.GetExecutions() {
		run := runStatus{
			Run: info.GetExecution().GetRunId(), Began: info.GetStartTime().AsTime(), Outcome: info.GetStatus().String(), status: info.GetStatus(),
		}
		end := time.Now()
		if info.GetCloseTime() != nil {
			run.end = info.GetCloseTime().AsTime()
			end = run.end
		}
		run.Took = max(0, end.Sub(run.Began).Seconds())
		runs = append(runs, run)
	}
	return runs, nil
}

// readRuns reads what came of runs of a workflow.
func (s roleClient) readRuns(ctx context.Context, id string, runs []runStatus) ([]runStatus, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxAsked)
	for i := range runs {
		run := &runs[i]
		if run.end.IsZero() {
			continue
		}
		group.Go(func() error {
			var outcome contract.Outcome
			err := s.GetWorkflow(ctx, id, run.Run).Get(ctx, &outcome)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if run.Summary = outcome.Summary; err != nil {
				run.Kind, run.text = contract.FailureOf(err)
				run.Summary, _ = divide(run.text)
			}
			return nil
		})
	}
	return runs, group.Wait()
}
