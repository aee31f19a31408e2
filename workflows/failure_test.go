package workflows_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// What Temporal's UI shows of a failed run is the failure that its last event has, and first its message.
func TestOwnFailureBeginsWithWhatHappened(t *testing.T) {
	c := scripted(t, newScript())
	for name, tt := range map[string]struct {
		workflow, input any
		id, kind, text  string
	}{
		"a producer's child": {workflows.ProduceProject, uploadOf("fails"), contract.Producer.ChildID(branch("fails")), "WrongKey", "WrongKey happened"},
		"a consumer's child": {workflows.ConsumeProject, pushOf("fails"), contract.Consumer.ChildID(branch("fails")), "WrongKey", "WrongKey happened"},
		"a parent":           {workflows.ProducerSync, contract.CycleInput{}, "cycle", plan.KindSyncsFailed, "1 of 2 failed: 1 WrongKey\n2 checked"},
	} {
		t.Run(name, func(t *testing.T) {
			run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: tt.id, TaskQueue: scriptQueue}, tt.workflow, tt.input)
			require.NoError(t, err)
			require.Error(t, run.Get(t.Context(), nil))
			history := fetch(t, c, tt.id, run.GetRunID())
			failed := history.Events[len(history.Events)-1].GetWorkflowExecutionFailedEventAttributes().GetFailure()
			require.Equal(t, tt.text, failed.GetMessage()[:len(tt.text)])
			require.Equal(t, tt.kind, failed.GetApplicationFailureInfo().GetType())
			require.Empty(t, wraps(failed), "what Temporal wraps around a step's failure is in the history")
		})
	}
}

// wraps are the messages of a failure's causes.
func wraps(f *failure.Failure) (messages []string) {
	for f = f.GetCause(); f != nil; f = f.GetCause() {
		messages = append(messages, f.GetMessage())
	}
	return messages
}

// A step whose worker is lost has no error of its own.
func TestTimeoutsInWords(t *testing.T) {
	for _, tt := range []struct {
		timeout enums.TimeoutType
		want    string
	}{
		{enums.TIMEOUT_TYPE_START_TO_CLOSE, "Clone took longer than it may\n"},
		{enums.TIMEOUT_TYPE_HEARTBEAT, "Clone gave no sign of life: its worker was lost, or its connection to Temporal\n"},
		{enums.TIMEOUT_TYPE_SCHEDULE_TO_START, "Clone was not begun: the worker that has the run's files does not answer\n"},
	} {
		env := environment(t)
		steps(env, map[string]error{"Clone": temporal.NewTimeoutError(tt.timeout, nil)})
		produceProject(env, plan.Upload{})
		failed, ok := errors.AsType[*temporal.ApplicationError](env.GetWorkflowError())
		require.True(t, ok)
		require.Equal(t, plan.KindChildFailed, failed.Type())
		require.Equal(t, tt.want, failed.Message()[:len(tt.want)])
		require.NotContains(t, failed.Message(), activities.WithRemedy(plan.KindChildFailed, ""), "it has a remedy of its own")
	}
}
