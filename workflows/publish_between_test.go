package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// publishing runs a producer's cycle of two children that take these times, and returns when the catalog was renewed. One renewal
// takes as long as the last argument.
func publishing(t *testing.T, small, huge, takes time.Duration) (at []time.Duration, ended time.Duration) {
	t.Helper()
	env, side := bareEnvironment(t), bothSides[contract.Producer.Name]
	side.plan(env, func(activities.PlanRequest) (findings, error) {
		return findings{checked: 2, moves: []string{"small", "huge"}}, nil
	})
	side.children(env, func(ctx workflow.Context, name string) error {
		return workflow.Sleep(ctx, map[string]time.Duration{"small": small, "huge": huge}[name])
	})
	began := env.Now()
	env.OnActivity(producer.Publish, mock.Anything).Return(func(context.Context) error {
		at = append(at, env.Now().Sub(began))
		return nil
	}).After(takes)
	env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{Limits: contract.Limits{WaitSeconds: 3600}})
	require.Len(t, report(t, env).Synced, 2)
	return at, env.Now().Sub(began)
}

// What a small project has uploaded is in the catalog soon, and does not wait for a huge one.
func TestCatalogDoesNotWaitForTheHuge(t *testing.T) {
	at, ended := publishing(t, time.Second, 10*time.Minute, 0)
	require.Len(t, at, 2)
	require.InDelta(t, 21, at[0].Seconds(), 1)
	require.GreaterOrEqual(t, at[1], 10*time.Minute)
	require.Less(t, ended, 11*time.Minute)

	at, _ = publishing(t, time.Second, 5*time.Second, 0)
	require.Len(t, at, 1, "all are done before anybody had to wait")
}

// A renewal that is not done when all have ended gives way to the one that knows of all.
func TestCatalogIsRenewedAtTheEnd(t *testing.T) {
	at, ended := publishing(t, time.Second, 25*time.Second, time.Minute)
	require.Len(t, at, 2)
	require.GreaterOrEqual(t, at[1], 25*time.Second)
	require.InDelta(t, 85, ended.Seconds(), 1)
}

// A failure to renew it meanwhile is no failure of the cycle: the last renewal decides.
func TestCatalogFailsMeanwhile(t *testing.T) {
	env, side := bareEnvironment(t), bothSides[contract.Producer.Name]
	side.plan(env, func(activities.PlanRequest) (findings, error) {
		return findings{checked: 2, moves: []string{"small", "huge"}}, nil
	})
	side.children(env, func(ctx workflow.Context, name string) error {
		return workflow.Sleep(ctx, map[string]time.Duration{"huge": time.Minute}[name])
	})
	failing(env)
	env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{})
	r := report(t, env)
	require.Zero(t, r.Count())
}

// failing has the catalog be renewed at the second time only.
func failing(env *testsuite.TestWorkflowEnvironment) {
	env.OnActivity(producer.Publish, mock.Anything).Return(named("CatalogNotWritten")).Once()
	env.OnActivity(producer.Publish, mock.Anything).Return(nil)
}
