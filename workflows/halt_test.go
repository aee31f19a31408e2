package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/retries"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A cycle in which nothing gets through starts no more, whatever the page; the next begins with a few, and goes on with all once one
// gets through.
func TestCycleHaltsInAnOutage(t *testing.T) {
	const n, atATime = 60, 4
	onBothSides(t, func(t *testing.T, role string) {
		run := func(before contract.Report, fails func(nth int) string) (r contract.Report, started, most int) {
			env := environment(t)
			env.SetLastCompletionResult(before)
			bothSides[role].plan(env, branches(n))
			atWork := 0
			bothSides[role].children(env, func(ctx workflow.Context, _ string) error {
				started++
				nth := started
				atWork++
				if nth <= retries.Probes+1 { // before any has ended
					most = max(most, atWork)
				}
				err := workflow.Sleep(ctx, time.Second)
				atWork--
				if kind := fails(nth); kind != "" {
					return named(kind)
				}
				return err
			})
			r = reportOf(t, env, role, contract.CycleInput{Limits: contract.Limits{PageSize: 20, MaxInFlight: atATime}})
			return r, started, most
		}
		always := func(kind string) func(int) string { return func(int) string { return kind } }

		r, started, _ := run(contract.Report{}, always("ServerUnavailable"))
		require.True(t, r.Halted)
		require.Equal(t, retries.MaxFailures+atATime-1, started, "those that were at work when it was clear")
		require.Equal(t, n, started+r.Deferred+r.Unchecked)
		require.Contains(t, r.Warning, "8 syncs have failed and none got through: 9 syncs are left for the next cycle, which begins with 3")

		again, started, most := run(r, always("DiskFull"))
		require.True(t, again.Halted)
		require.Equal(t, retries.Probes, most)
		require.Equal(t, 2*retries.Probes-1, started)

		back, started, _ := run(again, func(nth int) string {
			if nth == 1 {
				return "ServerUnavailable"
			}
			return ""
		})
		require.False(t, back.Halted)
		require.Equal(t, n, started)
		require.Len(t, back.Synced, n-1)

		r, started, _ = run(contract.Report{}, always("WrongKey"))
		require.False(t, r.Halted)
		require.Equal(t, n, started, "each has its own trouble")
		r, started, _ = run(contract.Report{}, func(nth int) string {
			if nth == 1 {
				return ""
			}
			return "ServerUnavailable"
		})
		require.False(t, r.Halted)
		require.Equal(t, n, started, "one has got through")
	})
}

// reportOf runs a cycle and returns its report, whether or not something has failed.
func reportOf(t *testing.T, env *testsuite.TestWorkflowEnvironment, role string, in contract.CycleInput) contract.Report {
	t.Helper()
	env.ExecuteWorkflow(bothSides[role].parent, in)
	if env.GetWorkflowError() == nil {
		return report(t, env)
	}
	r, _ := failedReport(t, env)
	return r
}
