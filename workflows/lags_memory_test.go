package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/turn"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// A plan that fails as a whole is told once, too, and what was known of the syncs is kept.
func TestUnplannedCycles(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		down := func(activities.PlanRequest) (findings, error) { return findings{}, named("GitServerDown") }
		r := newRepeated(t, role)
		r.cycle(contract.CycleInput{}, cron, moving("bad"))
		c := r.cycle(contract.CycleInput{}, cron, down)
		require.True(t, c.failed)
		failure, _ := errors.AsType[*temporal.ApplicationError](r.failed)
		require.Equal(t, "GitServerDown", failure.Type())
		require.Equal(t, []string{"failing plan GitServerDown"}, c.destinations())
		for range 2 {
			c = r.cycle(contract.CycleInput{}, cron, down)
			require.False(t, c.failed)
			require.Empty(t, c.told)
			require.Equal(t, []plan.Failure{{Subject: "plan", Kind: "GitServerDown", Reason: "GitServerDown happened"}}, c.report.Failed)
			require.Len(t, c.report.Lags.List, 2)
			require.True(t, c.report.Lags.LookedAt.Before(c.report.Began), "it has looked at nothing")
		}
		c = r.cycle(contract.CycleInput{}, cron, moving("bad"))
		require.False(t, c.failed)
		require.Equal(t, []string{"recovered plan GitServerDown"}, c.destinations())
	})
}

// A cycle that was ended from outside takes no memory away.
func TestMemoryOutlivesCyclesThatWereEnded(t *testing.T) {
	for what, end := range map[string]error{"terminated": &temporal.TerminatedError{}, "cancelled": temporal.NewCanceledError(), "timed out": temporal.NewTimeoutError(1, nil)} {
		onBothSides(t, func(t *testing.T, role string) {
			r := newRepeated(t, role)
			r.cycle(contract.CycleInput{}, cron, moving("bad"))
			r.cycle(contract.CycleInput{}, cron, moving("bad"))
			r.failed = end
			c := r.cycle(contract.CycleInput{}, cron, moving("bad"))
			require.False(t, c.failed, what)
			require.Empty(t, c.told, what)
		})
	}
}

// A cycle that nobody repeats has no memory, fails as soon as anything has, and tells nobody. One of some syncs keeps no lags.
func TestCyclesThatAreNotRepeated(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		r := newRepeated(t, role)
		for range 2 {
			c := r.cycle(contract.CycleInput{}, nil, moving("bad"))
			require.True(t, c.failed)
			require.Empty(t, c.told)
			require.Len(t, c.report.Lags.List, 1)
		}
		c := r.cycle(contract.CycleInput{Only: []string{"group/bad@main"}}, cron, moving("bad"))
		require.True(t, c.failed)
		require.Empty(t, c.told)
		require.Equal(t, fleet.Lags{}, c.report.Lags)
		require.Zero(t, c.report.Began)
	})
}

// What a cycle does not come to is neither in sync nor forgotten, and what is paused is left out.
func TestWhatACycleDoesNotComeTo(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		all := func(r activities.PlanRequest) turn.Position { // where the last of the two is
			return max(r.Order.Position(branch("bad1")), r.Order.Position(branch("bad2")))
		}
		slow := []plan.Failure{{Subject: plan.SubjectGitServer, Kind: plan.KindUnreachable, Reason: "7 syncs were not looked at"}}
		for what, tt := range map[string]struct {
			find func(activities.PlanRequest) findings
			told []string
			left int
		}{
			"all are in sync":  {func(r activities.PlanRequest) findings { return findings{reached: all(r)} }, []string{"recovered group/bad1@main WrongKey", "recovered group/bad2@main WrongKey"}, 0},
			"its time is up":   {func(r activities.PlanRequest) findings { return findings{reached: all(r) - 1, left: 1} }, nil, 1},
			"a server is slow": {func(r activities.PlanRequest) findings { return findings{reached: all(r), failed: slow} }, []string{"failing git server Unreachable"}, 3},
			"both are paused": {func(r activities.PlanRequest) findings {
				return findings{reached: all(r), paused: []fleet.Pause{{Destination: "group/bad1@main"}, {Destination: "group/bad2@main"}}}
			}, nil, 0},
			"nothing was asked": {func(activities.PlanRequest) findings { return findings{left: 7} }, nil, 2},
		} {
			r := newRepeated(t, role)
			looked := r.cycle(contract.CycleInput{}, cron, moving("bad1", "bad2")).report.Lags.LookedAt
			require.Equal(t, r.at, looked)
			stopped := false
			c := r.cycle(contract.CycleInput{Limits: contract.Limits{WaitSeconds: 1}}, cron, func(r activities.PlanRequest) (findings, error) {
				if stopped { // the time is up: no page gets any further
					return findings{reached: r.After, left: 1}, nil
				}
				stopped = true
				return tt.find(r), nil
			})
			if what == "its time is up" {
				require.Len(t, c.destinations(), 1, what)
			} else {
				require.Equal(t, tt.told, c.destinations(), what)
			}
			require.Len(t, c.report.Lags.List, tt.left, what)
			whole := what == "all are in sync" || what == "both are paused"
			require.Equal(t, whole, c.report.Lags.LookedAt.After(looked), what)
		}
	})
}

// What a cycle leaves to others still lags: children that run on, and those that had no time to begin.
func TestRunningAndDeferredLag(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		env := environment(t)
		bothSides[role].plan(env, moving("a", "b", "c", "d", "e"))
		take(env, role, map[string]time.Duration{"a": time.Hour, "b": time.Hour, "c": time.Hour, "d": time.Hour})
		executeAs(env, role, contract.CycleInput{Limits: contract.Limits{MaxInFlight: 1, WaitSeconds: 40}}, cron)
		r := report(t, env)
		require.Len(t, r.Running, 4)
		require.Equal(t, 1, r.Deferred)
		var lagging []string
		for _, lag := range r.Lags.List {
			lagging = append(lagging, lag.Destination)
			require.Equal(t, r.Began, lag.Since)
			require.True(t, lag.AtLeast)
			require.Empty(t, lag.Kind)
		}
		require.Equal(t, []string{"group/a@main", "group/b@main", "group/c@main", "group/d@main", "group/e@main"}, lagging)
	})
}
