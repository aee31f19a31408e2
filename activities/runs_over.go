package activities

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// unknownRunAge is how long the files of a run that Temporal does not know have to be unchanged before the run counts
// as over. Temporal deletes runs after their retention, but a run that has just started is not in its index either.
const unknownRunAge = 24 * time.Hour

// RunsOver returns a function that asks Temporal which runs are over. It is given the places of runs' files, with the times when
// these last changed, and returns those that no run needs any more.
func RunsOver(temporal client.Client) func(context.Context, map[string]time.Time) ([]string, error) {
	return func(ctx context.Context, places map[string]time.Time) (over []string, err error) {
		runs := map[string]bool{}
		for place := range places {
			if run := runOf(place); uuid.Validate(run) == nil {
				runs[run] = true
			}
		}
		var quoted []string
		for run := range runs {
			quoted = append(quoted, "'"+run+"'")
		}
		if len(quoted) == 0 {
			return nil, nil
		}
		answer, err := temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Query: "RunId IN (" + strings.Join(quoted, ", ") + ")", PageSize: int32(len(quoted)),
		})
		if err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
		known := map[string]enums.WorkflowExecutionStatus{}
		for _, execution := range answer.GetExecutions() {
			known[execution.GetExecution().GetRunId()] = execution.GetStatus()
		}
		for place, touched := range places {
			switch status, ok := known[runOf(place)]; {
			case !runs[runOf(place)]: // it is not ours
			case ok && status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING, !ok && time.Since(touched) > unknownRunAge:
				over = append(over, place)
			}
		}
		return over, nil
	}
}
