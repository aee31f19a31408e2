package workflows_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func pushes(names ...string) []plan.Push {
	var out []plan.Push
	for _, name := range names {
		out = append(out, plan.Push{Destination: branch(name), Commit: "c", Reason: "behind"})
	}
	return out
}

func TestConsumerSync(t *testing.T) {
	env := environment(t)
	foreign := plan.Failure{Subject: `"junk"`, Kind: plan.KindUndecodableKey, Reason: "not base64"}
	env.OnActivity(consumer.PlanPushes, mock.Anything, mock.Anything).Return(
		plan.Page[plan.Push]{Checked: 3, UpToDate: 1, Moves: pushes("a", "b"), Failures: plan.Failures{Failed: []plan.Failure{foreign}}}, nil).Once()
	steps(env, nil)
	env.ExecuteWorkflow(workflows.ConsumerSync, contract.CycleInput{})
	r, _ := failedReport(t, env)
	require.ElementsMatch(t, []string{"group/a@main: pushed", "group/b@main: pushed"}, r.Synced)
	require.Equal(t, []plan.Failure{foreign}, r.Failed)
}

// What would become of a set's refs is told in words and as data.
func TestDryRunListsChanges(t *testing.T) {
	env := environment(t)
	changes := []string{"refs: 1 to create", "create refs/tags/v1 at 1234567"}
	env.OnActivity(consumer.PlanPushes, mock.Anything, mock.Anything).Return(plan.Page[plan.Push]{
		Moves: []plan.Push{pushOf("set"), pushOf("branch")}, Changes: map[string][]string{branch("set").String(): changes},
	}, nil)
	env.ExecuteWorkflow(workflows.ConsumerSync, contract.CycleInput{DryRun: true})
	r := report(t, env)
	require.Equal(t, "push "+branch("set").String()+": "+pushOf("set").Reason+"\n"+strings.Join(changes, "\n"), r.Planned[0])
	require.Equal(t, "push "+branch("branch").String()+": "+pushOf("branch").Reason, r.Planned[1])
	require.Equal(t, changes, r.Behind[0].Changes)
	require.Empty(t, r.Behind[1].Changes)
}

func TestConsumerSyncDryRun(t *testing.T) {
	env := environment(t)
	moves := pushes("a")
	moves[0].Since = time.Unix(1, 0).UTC()
	env.OnActivity(consumer.PlanPushes, mock.Anything, mock.Anything).Return(plan.Page[plan.Push]{Checked: 1, Moves: moves}, nil).Once()
	env.ExecuteWorkflow(workflows.ConsumerSync, contract.CycleInput{DryRun: true})
	require.Equal(t, contract.Report{Checked: 1, Planned: []string{"push group/a@main: behind"}, Behind: []plan.BranchStatus{{Destination: "group/a@main", Reason: "behind", Since: moves[0].Since}}}, report(t, env))
}

// Each step is given what the one before it has made.
func TestConsumeProjectHandsOver(t *testing.T) {
	for name, needed := range map[string]int{"no LFS objects": 0, "LFS objects": 3} {
		t.Run(name, func(t *testing.T) {
			env := environment(t)
			push := pushOf("p")
			downloaded := activities.Downloaded{Staged: activities.Staged{Host: "host-1", Run: "run"}, Target: activities.Target{Commit: "c"}, Objects: []object.Stored{stored()}}
			bundles := []archive.Bundle{{ID: stored().ID, Size: 1}}
			work := activities.PushWork{Plan: push}
			env.OnActivity(consumer.Download, mock.Anything, lookingFirst(work)).Return(downloaded, nil).Once()
			work.Staged = downloaded.Staged
			env.OnActivity(consumer.Decrypt, mock.Anything, work, activities.DecryptInput{Commit: "c", Objects: downloaded.Objects}).Return(activities.Decrypted{Bundles: bundles, LFSObjects: needed, LFSSize: 4e9}, nil).Once()
			want := map[string]string{"Download": testQueue, "Decrypt": "host-1", "Push": "host-1", "Cleanup": "host-1"}
			input := activities.PushInput{Target: downloaded.Target, Bundles: bundles}
			if needed > 0 {
				sent := activities.PushedLFS{MovedLFS: activities.MovedLFS{Sent: 1, There: 1, Missing: 1, MissingNames: []string{"oid"}}}
				env.OnActivity(consumer.PushLFS, mock.Anything, work, input).Return(sent, nil).Once()
				want["PushLFS"], input.LFS = "host-1", &sent
			}
			env.OnActivity(consumer.Push, mock.Anything, work, input).Return(activities.Pushed{Summary: "done"}, nil).Once()
			env.OnActivity(eitherSide.Cleanup, mock.Anything, downloaded.Staged).Return(nil).Once()
			queues := taskQueues(env)
			consumeProject(env, push)
			require.NoError(t, env.GetWorkflowError())
			require.Equal(t, want, *queues)
		})
	}
}

func TestConsumeProject(t *testing.T) {
	for _, failing := range []string{"", "Download", "Decrypt", "PushLFS", "Push"} {
		t.Run(failing, func(t *testing.T) {
			env := environment(t)
			steps := steps(env, map[string]error{failing: named("WrongKey")})
			consumeProject(env, plan.Push{})
			if failing == "" {
				require.NoError(t, env.GetWorkflowError())
				require.Equal(t, 1, steps.ran["Push"])
			} else {
				var failure *temporal.ApplicationError
				require.ErrorAs(t, env.GetWorkflowError(), &failure)
				require.Equal(t, "WrongKey", failure.Type())
			}
			require.Equal(t, failing != "Download", steps.cleaned)
			require.Equal(t, failing == "Push" || failing == "", steps.ran["Push"] > 0, "no commit goes ahead of its files")
		})
	}
}

// A branch that moves while a run is at work has it find out anew what is to be pushed, once.
func TestConsumeProjectAfterTipMoved(t *testing.T) {
	for _, healed := range []bool{true, false} {
		env := environment(t)
		steps := steps(env, map[string]error{"Push": named(activities.KindTipMoved)})
		if healed {
			steps.healAfter = 2
		}
		consumeProject(env, plan.Push{})
		require.Equal(t, healed, env.GetWorkflowError() == nil)
		require.Equal(t, 2, steps.ran["Download"])
		require.Equal(t, 2, steps.ran["Push"])
	}
}

// A destination that lacks what an increment builds on is given everything, once.
func TestConsumeProjectFromSnapshot(t *testing.T) {
	for _, tt := range []struct {
		planned, healed bool
		asked           []bool
	}{{false, true, []bool{false, true}}, {false, false, []bool{false, true}}, {true, false, []bool{true}}} {
		env := environment(t)
		steps := steps(env, map[string]error{"Push": named(activities.KindBaseMissing)})
		if tt.healed {
			steps.healAfter = 2
		}
		var asked []bool
		env.SetOnActivityStartedListener(func(info *activityInfo, _ context.Context, args encodedValues) {
			if info.ActivityType.Name == "Download" {
				var work activities.PushWork
				require.NoError(t, args.Get(&work))
				asked = append(asked, work.Plan.FromSnapshot)
			}
		})
		consumeProject(env, plan.Push{FromSnapshot: tt.planned})
		require.Equal(t, tt.healed, env.GetWorkflowError() == nil)
		require.Equal(t, tt.asked, asked)
	}
}
