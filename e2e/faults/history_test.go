package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// retries counts, over all syncs' runs of both sides so far, the attempts of steps after the first, and the runs that failed.
func (w *world) retries(t testing.TB) (retries int) {
	for role, workflow := range map[stack.Role]string{stack.Producer: "ProduceProject", stack.Consumer: "ConsumeProject"} {
		c := w.Temporal.Clients[role]
		list, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: fmt.Sprintf("WorkflowType = '%s'", workflow)})
		assert.NoError(t, err)
		for _, run := range list.GetExecutions() {
			if run.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_FAILED {
				retries++
			}
			retries += attempts(t.Context(), c, run.GetExecution().GetWorkflowId(), run.GetExecution().GetRunId())
		}
	}
	return retries
}

func attempts(ctx context.Context, c client.Client, id, run string) (again int) {
	events := c.GetWorkflowHistory(ctx, id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return again
		}
		if attempt := event.GetActivityTaskStartedEventAttributes().GetAttempt(); attempt > 1 {
			again += int(attempt) - 1
		}
	}
	return again
}

// failedStep is a line of a worker's log.
type failedStep struct {
	Time              time.Time
	Step, Kind, Error string
}

// failedSteps are those of a side's workers since then, in the order of their log.
func (w *world) failedSteps(t testing.TB, role stack.Role, since time.Time) (failed []failedStep) {
	t.Helper()
	log, err := os.ReadFile(w.logFile(role))
	assert.NoError(t, err)
	for line := range strings.Lines(string(log)) {
		var f failedStep
		if json.Unmarshal([]byte(line), &f) == nil && f.Step != "" && f.Kind != "" && f.Time.After(since) {
			failed = append(failed, f)
		}
	}
	return failed
}

// told is what an operator would look at: how each side's last cycle failed, and the ends of the workers' logs.
func (w *world) told(t testing.TB) string {
	var text strings.Builder
	for _, role := range stack.Roles {
		fmt.Fprintf(&text, "the %s's last cycle: %v\n", role, w.LastFailure(t.Context(), role))
		log, _ := os.ReadFile(w.logFile(role))
		text.Write(log[max(0, len(log)-6000):])
	}
	return text.String()
}
