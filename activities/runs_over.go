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

// RunsOver returns a function that asks Temporal which runs are over. It is given the times when the runs' files last
// changed.
func RunsOver(temporal client.Client) func(context.Context, map[string]time.Time) ([]string, error) {
	return func(ctx context.Context, runs map[string]time.Time) (over []string, err error) {
		var quoted []string
		for run := range runs {
			if uuid.Validate(run) == nil {
				quoted = append(quoted, "'"+run+"'")
			}
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
		known := map[string]bool{}
		for _, execution := range answer.GetExecutions() {
			run := execution.GetExecution().GetRunId()
			known[run] = true
			if _, asked := runs[run]; asked && execution.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
				over = append(over, run)
			}
		}
		for run, touched := range runs {
			if !known[run] && uuid.Validate(run) == nil && time.Since(touched) > unknownRunAge {
				over = append(over, run)
			}
		}
		return over, nil
	}
}
