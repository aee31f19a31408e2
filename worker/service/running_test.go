package service

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
)

// A worker that is told to end waits for a short step, too. What it does not finish, another one takes up with the workflow's task: Temporal
// knows of no task that failed.
func TestShortStepsRun(t *testing.T) {
	noted := 0
	r := &running{host: "host", note: func([]byte) func() { noted++; return func() {} }}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{r}})
	_, err := env.ExecuteLocalActivity(func(context.Context) error {
		require.True(t, r.any())
		require.Empty(t, r.cutOff())
		return nil
	})
	require.NoError(t, err)
	require.False(t, r.any())
	require.Zero(t, noted)
}
