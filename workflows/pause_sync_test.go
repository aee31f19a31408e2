package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

const pausedDestination = "mirror/platform/router@main"

func pauseFor(d time.Duration) fleet.Pause {
	return fleet.Pause{Destination: pausedDestination, Reason: "*moving* house", By: "ann@host", Until: time.Now().Add(d)}
}

func branchOf(t *testing.T, name string) project.Branch {
	t.Helper()
	b, err := project.ParseBranch(name)
	require.NoError(t, err)
	return b
}

func pauseEnvironment(t *testing.T, id string) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet)
	env := suite.NewTestWorkflowEnvironment()
	workflows.RegisterProducer(env)
	workflows.RegisterConsumer(env) // both know it
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: id})
	return env
}

// A pause runs until its time is over, or until somebody cancels it, and says which.
func TestPauseEnds(t *testing.T) {
	t.Parallel()
	for want, cancelAfter := range map[string]time.Duration{contract.PauseOver: 3 * time.Hour, contract.PauseCancelled: time.Hour} {
		for _, role := range []contract.Role{contract.Producer, contract.Consumer} {
			env := pauseEnvironment(t, role.PauseID(branchOf(t, pausedDestination)))
			pause, began := pauseFor(0), env.Now()
			pause.Until = began.Add(2 * time.Hour)
			env.RegisterDelayedCallback(func() {
				value, err := env.QueryWorkflow(contract.QueryStatus)
				require.NoError(t, err)
				var status contract.Status
				require.NoError(t, value.Get(&status))
				require.Equal(t, "paused until "+pause.Until.UTC().Format("2006-01-02 15:04:05 UTC")+", by ann@host: *moving* house", status.Step)
			}, time.Minute)
			env.RegisterDelayedCallback(env.CancelWorkflow, cancelAfter)
			env.ExecuteWorkflow(contract.Pause, pause)
			require.NoError(t, env.GetWorkflowError())
			var end contract.PauseEnd
			require.NoError(t, env.GetWorkflowResult(&end))
			require.Equal(t, want, end.Ended)
			require.WithinDuration(t, began.Add(min(cancelAfter, 2*time.Hour)), env.Now(), time.Minute)
		}
	}
}

// Whoever may start workflows can pause no sync under another's ID, nor for ever.
func TestPausesThatAreRefused(t *testing.T) {
	t.Parallel()
	id := contract.Consumer.PauseID(branchOf(t, pausedDestination))
	for want, tt := range map[string]struct {
		id    string
		pause fleet.Pause
	}{
		"the workflow's ID is":           {"pause/consume/mirror/other@main", pauseFor(time.Hour)},
		"is not a branch":                {id, fleet.Pause{Destination: "router", Until: time.Now()}},
		"until: 0001-01-01T00:00:00Z is": {id, fleet.Pause{Destination: pausedDestination}},
		"is not within 720h0m0s":         {id, pauseFor(32 * 24 * time.Hour)},
	} {
		env := pauseEnvironment(t, tt.id)
		env.SetStartTime(time.Now())
		env.ExecuteWorkflow(workflows.PauseSync, tt.pause)
		err := env.GetWorkflowError()
		require.ErrorContains(t, err, want)
		var failure *temporal.ApplicationError
		require.ErrorAs(t, err, &failure)
		require.Equal(t, plan.KindInvalidInput, failure.Type())
		require.True(t, failure.NonRetryable())
	}
}

// Somebody else's words are shown as they are, and not too many of them.
func TestPauseIsShownAsText(t *testing.T) {
	t.Parallel()
	c := scripted(t, newScript())
	pause := pauseFor(time.Hour)
	pause.Reason = "![](https://evil.example)" + strings.Repeat("x", 1000)
	id := contract.Producer.PauseID(branchOf(t, pausedDestination))
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: scriptQueue}, contract.Pause, pause)
	require.NoError(t, err)
	value, err := c.QueryWorkflow(t.Context(), id, run.GetRunID(), "__temporal_workflow_metadata")
	require.NoError(t, err)
	var metadata sdk.WorkflowMetadata
	require.NoError(t, value.Get(&metadata))
	require.Contains(t, metadata.GetCurrentDetails(), `\!\[\](https\://evil.example)`)
	require.Less(t, len(metadata.GetCurrentDetails()), 400)
	require.NoError(t, c.CancelWorkflow(t.Context(), id, ""))
	require.NoError(t, run.Get(t.Context(), nil))
}
