package workflows_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A worker that is lost during a step is missed within half a minute, not when the step's six hours are over.
func TestStepsAreMissed(t *testing.T) {
	got := map[string]time.Duration{}
	for _, run := range []func(*testsuite.TestWorkflowEnvironment){
		func(env *testsuite.TestWorkflowEnvironment) { produceProject(env, plan.Upload{}) },
		func(env *testsuite.TestWorkflowEnvironment) { consumeProject(env, plan.Push{}) },
		func(env *testsuite.TestWorkflowEnvironment) { idleCycle(env, contract.Producer.Name) },
		func(env *testsuite.TestWorkflowEnvironment) { idleCycle(env, contract.Consumer.Name) },
	} {
		env := environment(t)
		steps(env, nil)
		env.SetOnActivityStartedListener(func(info *activityInfo, _ context.Context, _ encodedValues) {
			got[info.ActivityType.Name] = info.HeartbeatTimeout
		})
		run(env)
		require.NoError(t, env.GetWorkflowError())
	}
	require.Contains(t, got, "PlanUploads")
	require.Contains(t, got, "PlanPushes")
	maps.DeleteFunc(got, func(_ string, timeout time.Duration) bool { return timeout == 30*time.Second })
	require.Equal(t, map[string]time.Duration{"Cleanup": 0}, got, "its minute is short enough")
}

func idleCycle(env *testsuite.TestWorkflowEnvironment, role string) {
	bothSides[role].plan(env, branches(0))
	env.ExecuteWorkflow(bothSides[role].parent, contract.CycleInput{})
}
