package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A worker that is lost during a step is missed within half a minute, not when the step's six hours are over, and so is one that was
// lost before it. A cancelled step has ended before its files are removed.
func TestStepsAreMissed(t *testing.T) {
	type patience struct {
		silence, start time.Duration
		end            bool
	}
	const short = 30 * time.Second
	anywhere, onHost := patience{short, 0, true}, patience{short, short, true}
	want := map[string]patience{
		"PlanUploads": anywhere, "Clone": anywhere, "FindLFS": onHost, "UploadLFS": onHost, "Package": onHost, "Encrypt": onHost, "Upload": onHost,
		"PlanPushes": anywhere, "Download": anywhere, "Decrypt": onHost, "PushLFS": onHost, "Push": onHost,
		"Cleanup": {0, 10 * time.Second, false}, // its minute is short enough
	}
	got := map[string]patience{}
	for _, run := range []func(*testsuite.TestWorkflowEnvironment){
		func(env *testsuite.TestWorkflowEnvironment) { produceProject(env, plan.Upload{}) },
		func(env *testsuite.TestWorkflowEnvironment) { consumeProject(env, plan.Push{}) },
		func(env *testsuite.TestWorkflowEnvironment) { idleCycle(env, contract.Producer.Name) },
		func(env *testsuite.TestWorkflowEnvironment) { idleCycle(env, contract.Consumer.Name) },
	} {
		env := environment(t)
		steps(env, nil)
		intercept(env, &told{start: func(activity string, o workflow.ActivityOptions) {
			got[activity] = patience{o.HeartbeatTimeout, o.ScheduleToStartTimeout, o.WaitForCancellation}
		}})
		run(env)
		require.NoError(t, env.GetWorkflowError())
	}
	require.Equal(t, want, got)
}

func idleCycle(env *testsuite.TestWorkflowEnvironment, role string) {
	bothSides[role].plan(env, branches(0))
	env.ExecuteWorkflow(bothSides[role].parent, contract.CycleInput{})
}
