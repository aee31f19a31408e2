package workflows_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/retries"
	"github.com/app-sre/git-partition-sync/internal/turn"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A cycle that is too long for one page, or for one history, goes on. Those that fail are not tried again, and keep nobody
// from their turn.
func TestCycleGoesThroughAllPages(t *testing.T) {
	const n = 23
	for name, long := range map[string]bool{"in one run": false, "in many": true} {
		t.Run(name, func(t *testing.T) {
			onBothSides(t, func(t *testing.T, role string) {
				ran := map[string]int{}
				var asked []activities.PlanRequest
				in := contract.CycleInput{Limits: contract.Limits{PageSize: 5, MaxInFlight: 2}}
				r, runs := runToEnd(t, role, in, func(env *testsuite.TestWorkflowEnvironment) {
					env.SetContinueAsNewSuggested(long)
					env.SetCurrentHistoryLength(20_001) // which ends the cycle of a cron only
					bothSides[role].plan(env, func(r activities.PlanRequest) (findings, error) {
						asked = append(asked, r)
						f, err := branches(n)(r)
						if r.After == 0 {
							f.failed = []plan.Failure{{Subject: "x", Kind: plan.KindUndecodableKey, Reason: "junk"}}
						}
						f.checked, f.upToDate = f.checked+1, 1
						return f, err
					})
					bothSides[role].children(env, func(_ workflow.Context, name string) error {
						ran[name]++
						if strings.HasSuffix(name, "3") {
							return named("WrongKey")
						}
						return nil
					})
				})
				require.Equal(t, long, runs == 5)
				require.Len(t, asked, 5)
				for i, request := range asked {
					require.Equal(t, asked[0].Order, request.Order, "one order for the whole cycle")
					require.Equal(t, turn.Position(5*i), request.After)
				}
				require.Len(t, ran, n)
				for name, times := range ran {
					require.Equal(t, 1, times, name)
				}
				require.Equal(t, n+5, r.Checked)
				require.Equal(t, 5, r.UpToDate)
				require.Len(t, r.Synced, n-2)
				require.Len(t, r.Failed, 1+2)
				require.Zero(t, r.Unchecked+r.Deferred)
			})
		})
	}
}

// Temporal takes whatever a cycle says, and all that a run hands to the next, however many branches fail and with however long
// names and reasons: else its workflow task would fail for ever, and no other cycle would begin.
func TestCycleFitsIntoTemporal(t *testing.T) {
	const n = 600
	onBothSides(t, func(t *testing.T, role string) {
		long := strings.Repeat("n", 230)
		find := func(r activities.PlanRequest) (findings, error) {
			f, err := branches(n)(r)
			for i := range f.moves {
				f.moves[i] += long
			}
			for i := range 150 {
				f.failed = append(f.failed, plan.Failure{Subject: fmt.Sprint(i, long), Kind: "k", Reason: strings.Repeat("<", 3000)})
			}
			return f, err
		}
		r, runs := runToEnd(t, role, contract.CycleInput{Limits: contract.Limits{MaxInFlight: 256}}, func(env *testsuite.TestWorkflowEnvironment) {
			env.SetContinueAsNewSuggested(true)
			bothSides[role].plan(env, find)
			env.SetDetachedChildWait(false)
			bothSides[role].children(env, func(ctx workflow.Context, name string) error {
				switch name[1] {
				case '1':
					return temporal.NewNonRetryableApplicationError(strings.Repeat("<", 3000), "PushRefused", nil)
				case '2':
					return workflow.Sleep(ctx, 24*time.Hour)
				}
				return nil
			})
		})
		require.Equal(t, 3, runs)
		text, err := json.Marshal(r)
		require.NoError(t, err)
		require.Less(t, len(text), temporalLimit/2)
		require.Less(t, len(r.Err().Error()), temporalLimit/10)
		require.Equal(t, n, len(r.Synced)+r.SyncedMore+len(r.Running)+r.RunningMore+111, "111 have failed")
		require.Equal(t, 3*150+111, r.Count())
		require.Positive(t, r.FailedMore)
		require.Positive(t, r.SyncedMore)
		quoted := strings.Count(r.Err().Error(), ": <<<")
		require.Positive(t, quoted)
		require.Contains(t, r.Err().Error(), fmt.Sprintf("... and %d more", r.Count()-quoted))
	})
}

// When not all get their turn in a cycle, it is others in the next.
func TestEachCycleHasItsOrder(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		orders := map[turn.Order]bool{}
		for cycle := range 3 {
			env := environment(t)
			env.SetStartTime(time.Unix(int64(cycle)*300, 0))
			bothSides[role].plan(env, func(r activities.PlanRequest) (findings, error) {
				orders[r.Order] = true
				return findings{}, nil
			})
			env.ExecuteWorkflow(bothSides[role].parent, contract.CycleInput{})
			require.NoError(t, env.GetWorkflowError())
		}
		require.Len(t, orders, 3)
	})
}

// A plan that fails later on does not take away what has been done.
func TestLaterPageFails(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		env := environment(t)
		bothSides[role].plan(env, func(r activities.PlanRequest) (findings, error) {
			if r.After > 0 {
				return findings{}, named("GitServerDown")
			}
			return branches(5)(r)
		})
		take(env, role, nil)
		env.ExecuteWorkflow(bothSides[role].parent, contract.CycleInput{Limits: contract.Limits{PageSize: 2}})
		r, _ := failedReport(t, env)
		require.Len(t, r.Synced, 2)
		require.Equal(t, []plan.Failure{{Subject: "plan", Kind: "GitServerDown", Reason: "GitServerDown happened"}}, r.Failed)
		require.Equal(t, 3, r.Unchecked)
	})
}

// A cycle that could not look at anything has no report, nor has a dry run that cannot go on: it tells its failure.
func TestPlanFails(t *testing.T) {
	for _, in := range []contract.CycleInput{{}, {DryRun: true}, {DryRun: true, From: &forged().Position}} {
		onBothSides(t, func(t *testing.T, role string) {
			env := environment(t)
			bothSides[role].plan(env, func(r activities.PlanRequest) (findings, error) {
				if in.From != nil {
					require.Equal(t, in.From.Order, r.Order)
					require.Equal(t, in.From.After, r.After)
				}
				return findings{}, named("GitServerDown")
			})
			env.ExecuteWorkflow(bothSides[role].parent, in)
			var failure *temporal.ApplicationError
			require.ErrorAs(t, env.GetWorkflowError(), &failure)
			require.Equal(t, "GitServerDown", failure.Type())
			require.Equal(t, "comparing both ends", status(t, env).Step)
		})
	}
}

// A plan that fails for a reason without a name is tried again, but not for ever: the next cycle begins with a new one.
func TestPlanIsTriedAgain(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		env := environment(t)
		tried := 0
		bothSides[role].plan(env, func(activities.PlanRequest) (findings, error) {
			tried++
			return findings{}, errors.New("connection reset")
		})
		env.ExecuteWorkflow(bothSides[role].parent, contract.CycleInput{})
		require.Error(t, env.GetWorkflowError())
		require.Equal(t, retries.Passing.Budget().Attempts, tried)
	})
}

// A plan that gets nowhere ends the cycle.
func TestPageWithoutProgress(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		env := environment(t)
		asked := 0
		bothSides[role].plan(env, func(r activities.PlanRequest) (findings, error) {
			asked++
			return findings{reached: r.After, left: 7}, nil
		})
		env.ExecuteWorkflow(bothSides[role].parent, contract.CycleInput{})
		require.Equal(t, 7, report(t, env).Unchecked)
		require.Equal(t, 1, asked)
	})
}

// A cron does not continue as new: that would end its cron. It takes page after page in one run, until its history is long.
func TestCronKeepsToOneRun(t *testing.T) {
	for name, tt := range map[string]struct{ events, size, left int }{
		"short": {4_000, 4 << 20, 0}, "just short": {20_000, 20 << 20, 0}, "many events": {20_001, 0, 18}, "long ones": {0, 20<<20 + 1, 18},
	} {
		t.Run(name, func(t *testing.T) {
			onBothSides(t, func(t *testing.T, role string) {
				env := environment(t)
				env.SetContinueAsNewSuggested(true)
				env.SetCurrentHistoryLength(tt.events)
				env.SetCurrentHistorySize(tt.size)
				bothSides[role].plan(env, branches(20))
				take(env, role, nil)
				executeAs(env, role, contract.CycleInput{Limits: contract.Limits{PageSize: 2}}, cron)
				r := report(t, env)
				require.Equal(t, tt.left, r.Unchecked)
				require.Len(t, r.Synced, 20-tt.left)
			})
		})
	}
}

// A dry run says where it goes on, and is told so by hand.
func TestDryRunInParts(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		in := contract.CycleInput{DryRun: true, Limits: contract.Limits{PageSize: 2}}
		var all contract.Report
		for part := 1; ; part++ {
			env := environment(t)
			bothSides[role].plan(env, func(r activities.PlanRequest) (findings, error) {
				require.True(t, r.Detail)
				return branches(5)(r)
			})
			env.ExecuteWorkflow(bothSides[role].parent, in)
			r := report(t, env)
			all.Extend(r)
			if in.From = r.Next; r.Next == nil {
				require.Equal(t, 3, part)
				break
			}
		}
		require.Equal(t, 5, all.Checked)
		require.Len(t, all.Planned, 5)
		require.Len(t, all.Behind, 5)
	})
}
