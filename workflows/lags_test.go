package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/notify"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// repeated runs the cycles of a cron one after the other, each with what the server hands over.
type repeated struct {
	*testing.T
	role string
	at   time.Time

	succeeded  *contract.Report // the last of those
	failed     error            // of the last cycle
	notFailing error            // what notifications end with
}

// cycled is how a cycle has ended.
type cycled struct {
	report contract.Report
	failed bool
	told   []activities.Notification
}

// destinations are those that people were told of.
func (c cycled) destinations() (all []string) {
	for _, n := range c.told {
		for _, change := range n.Changes {
			all = append(all, change.Change+" "+change.Destination+" "+change.Kind)
		}
	}
	return all
}

// cycle plans the findings, of which all moves named "bad…" fail.
func (r *repeated) cycle(in contract.CycleInput, say func(*workflow.Info), find func(activities.PlanRequest) (findings, error)) (c cycled) {
	r.Helper()
	env := environment(r.T)
	r.at = r.at.Add(5 * time.Minute)
	env.SetStartTime(r.at)
	if r.succeeded != nil {
		env.SetLastCompletionResult(*r.succeeded)
	}
	if r.failed != nil {
		env.SetLastError(r.failed)
	}
	bothSides[r.role].plan(env, find)
	bothSides[r.role].children(env, func(_ workflow.Context, name string) error {
		if name[:3] == "bad" {
			return temporal.NewNonRetryableApplicationError("it is bad\nMake it good.", "WrongKey", nil)
		}
		return nil
	})
	env.OnActivity(eitherSide.Notify, mock.Anything, mock.Anything).Return(func(_ context.Context, n activities.Notification) error {
		c.told = append(c.told, n)
		return r.notFailing
	}).Maybe()
	executeAs(env, r.role, in, say)
	err := env.GetWorkflowError()
	if r.failed, c.failed = err, err != nil; c.failed {
		failure, ok := errors.AsType[*temporal.ApplicationError](err)
		require.True(r, ok)
		require.NoError(r, failure.Details(&c.report))
		r.failed = failure
		return c
	}
	require.NoError(r, env.GetWorkflowResult(&c.report))
	r.succeeded = &c.report
	return c
}

// moving is a side on which just these have to move.
func moving(names ...string) func(activities.PlanRequest) (findings, error) {
	return func(activities.PlanRequest) (findings, error) {
		return findings{checked: len(names) + 1, moves: names, reached: 1, upToDate: 1}, nil
	}
}

func newRepeated(t *testing.T, role string) *repeated {
	return &repeated{T: t, role: role, at: time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)}
}

// A failure that goes on makes one cycle fail, people are told of it once, again after a day, and when it is over.
func TestCycleFailsOnlyForNews(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		r := newRepeated(t, role)
		for i, tt := range []struct {
			what   string
			later  time.Duration
			moves  []string
			failed bool
			told   []string
		}{
			{"all is well", 0, []string{"good"}, false, nil},
			{"one fails", 0, []string{"bad", "good"}, true, []string{"failing group/bad@main WrongKey"}},
			{"it still does", 0, []string{"bad"}, false, nil},
			{"another fails", 0, []string{"bad", "bad2"}, true, []string{"failing group/bad2@main WrongKey"}},
			{"both do", 0, []string{"bad", "bad2"}, false, nil},
			{"a day passes", 24 * time.Hour, []string{"bad", "bad2"}, true, []string{"still_failing group/bad2@main WrongKey", "still_failing group/bad@main WrongKey"}},
			{"both still do", 0, []string{"bad", "bad2"}, false, nil},
			{"one is repaired", 0, []string{"bad2"}, false, []string{"recovered group/bad@main WrongKey"}},
			{"and stays so", 0, []string{"bad2"}, false, nil},
			{"it fails again", 0, []string{"bad", "bad2"}, true, []string{"failing group/bad@main WrongKey"}},
			{"both are repaired", 0, nil, false, []string{"recovered group/bad2@main WrongKey", "recovered group/bad@main WrongKey"}},
			{"nothing moves", 0, nil, false, nil},
		} {
			r.at = r.at.Add(tt.later)
			c := r.cycle(contract.CycleInput{}, cron, moving(tt.moves...))
			what := fmt.Sprintf("cycle %d: %s", i, tt.what)
			require.Equal(t, tt.failed, c.failed, what)
			require.Equal(t, tt.told, c.destinations(), what)
			require.LessOrEqual(t, len(c.told), 1, what)
			bad := 0
			for _, name := range tt.moves {
				if name != "good" {
					bad++
				}
			}
			require.Equal(t, bad, c.report.Count(), "%s: the report has it, however the cycle ends", what)
			require.Len(t, c.report.Lags.List, bad, what)
			require.Equal(t, r.at, c.report.Began, what)
		}
	})
}

// A notification says what happened, what to do, and where to look.
func TestWhatANotificationSays(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		c := newRepeated(t, role).cycle(contract.CycleInput{}, cron, func(activities.PlanRequest) (findings, error) {
			return findings{moves: []string{"bad"}, reached: 1, failed: []plan.Failure{{Subject: "bucket", Kind: "PruneRefused", Reason: "too many"}}}, nil
		})
		require.Len(t, c.told, 1)
		n := c.told[0]
		require.Equal(t, role, n.Role)
		require.Len(t, n.Changes, 2)
		for i := range n.Changes {
			require.False(t, n.Changes[i].Since.IsZero())
			n.Changes[i].Since = time.Time{}
		}
		require.Equal(t, []notify.Change{
			{Destination: "bucket", Change: "failing", Kind: "PruneRefused", Reason: "too many", Workflow: "default-test-workflow-id"},
			{Destination: "group/bad@main", Change: "failing", Kind: "WrongKey", Reason: "it is bad", Remedy: "Make it good.", Workflow: bothSides[role].childID(branch("bad"))},
		}, n.Changes)
	})
}

// However many change at once, people get one message of a bounded size.
func TestManyChangesAreOneNotification(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		var names []string
		for i := range 130 {
			names = append(names, fmt.Sprintf("bad%03d", i))
		}
		r := newRepeated(t, role)
		c := r.cycle(contract.CycleInput{}, cron, moving(names...))
		require.Len(t, c.told, 1)
		require.Len(t, c.told[0].Changes, notify.MaxChanges)
		require.Equal(t, 80, c.told[0].More)
		require.Empty(t, r.cycle(contract.CycleInput{}, cron, moving(names...)).told, "those that were counted were told, too")
	})
}

// Nobody could be told: the cycle ends as it would have, and the next one tells it.
func TestNotificationFails(t *testing.T) {
	onBothSides(t, func(t *testing.T, role string) {
		r := newRepeated(t, role)
		r.notFailing = temporal.NewNonRetryableApplicationError("refused\nCheck NOTIFY_URL.", "NotificationRefused", nil)
		c := r.cycle(contract.CycleInput{}, cron, moving("bad"))
		require.True(t, c.failed)
		require.Equal(t, 1, c.report.Count(), "of the sync alone")
		require.Contains(t, c.report.Warning, "nobody was told what has changed, the next cycle tries again: refused Check NOTIFY_URL. (NotificationRefused)")
		c = r.cycle(contract.CycleInput{}, cron, moving("bad"))
		require.False(t, c.failed, "that nobody could be told is no news")
		require.Len(t, c.told, 1)
		r.notFailing = nil
		require.Equal(t, []string{"failing group/bad@main WrongKey"}, r.cycle(contract.CycleInput{}, cron, moving("bad")).destinations())
		r.notFailing = errors.New("silent")
		c = r.cycle(contract.CycleInput{}, cron, moving())
		require.False(t, c.failed)
		require.Len(t, c.told, 4, "it is tried again")
		r.notFailing = nil
		require.Equal(t, []string{"recovered group/bad@main WrongKey"}, r.cycle(contract.CycleInput{}, cron, moving()).destinations())
		require.Empty(t, r.cycle(contract.CycleInput{}, cron, moving()).told)
	})
}
