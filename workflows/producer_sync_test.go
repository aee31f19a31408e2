package workflows_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func branch(name string) project.Branch {
	return project.Branch{Group: "group", Name: name, Branch: "main"}
}

func uploads(n int) []plan.Upload {
	out := make([]plan.Upload, n)
	for i := range out {
		out[i] = plan.Upload{Sync: project.Sync{Destination: branch(fmt.Sprintf("p%d", i))}, Reason: "moved"}
	}
	return out
}

// planned makes the scan find p.
func planned(env *testsuite.TestWorkflowEnvironment, p plan.Uploads) {
	syncs := []project.Sync{{Source: branch("source")}}
	env.OnActivity(producer.ListSyncs, mock.Anything).Return(syncs, nil).Once()
	env.OnActivity(producer.PlanUploads, mock.Anything, mock.Anything).Return(p, nil).Once()
}

func report(t *testing.T, env *testsuite.TestWorkflowEnvironment) contract.Report {
	t.Helper()
	var r contract.Report
	require.NoError(t, env.GetWorkflowResult(&r))
	return r
}

func failedReport(t *testing.T, env *testsuite.TestWorkflowEnvironment) (contract.Report, string) {
	t.Helper()
	var failure *temporal.ApplicationError
	require.ErrorAs(t, env.GetWorkflowError(), &failure)
	require.Equal(t, contract.KindSyncsFailed, failure.Type())
	require.True(t, failure.NonRetryable())
	var r contract.Report
	require.NoError(t, failure.Details(&r))
	return r, failure.Message()
}

func TestProducerSyncIdle(t *testing.T) {
	env := environment(t)
	planned(env, plan.Uploads{Checked: 1000, UpToDate: 1000})
	started, queues := 0, map[string]string{}
	env.SetOnActivityStartedListener(func(info *activityInfo, _ context.Context, _ encodedValues) {
		started++
		queues[info.ActivityType.Name] = info.TaskQueue
	})
	env.ExecuteWorkflow(workflows.ProducerSync, contract.ProducerSyncInput{})
	require.Equal(t, contract.Report{Checked: 1000, UpToDate: 1000}, report(t, env))
	require.Equal(t, 2, started, "an idle cycle costs the same however many syncs there are")
	require.Equal(t, map[string]string{"ListSyncs": testQueue + "/scans", "PlanUploads": testQueue + "/scans"}, queues, "steps leave scans room")
}

// One broken project fails its own child and the parent, and stops nobody else.
func TestProducerSyncIsolatesFailures(t *testing.T) {
	env := environment(t)
	refused := plan.Failure{Subject: "x", Kind: plan.KindDuplicateDestination, Reason: "2 syncs"}
	planned(env, plan.Uploads{Checked: 5, UpToDate: 1, Uploads: uploads(3), Failures: []plan.Failure{refused}})
	env.OnWorkflow(workflows.ProduceProject, mock.Anything, mock.Anything).Return(
		func(_ workflow.Context, u plan.Upload) (activities.Uploaded, error) {
			if u.Sync.Destination.Name == "p1" {
				return activities.Uploaded{}, named("BranchNotFound")
			}
			return activities.Uploaded{Summary: "snapshot abc"}, nil
		})
	env.OnActivity(producer.Prune, mock.Anything, activities.PruneRequest{}).Return(activities.Pruned{Keys: []string{"old"}, Left: 3}, nil).Once()
	env.ExecuteWorkflow(workflows.ProducerSync, contract.ProducerSyncInput{})

	r, message := failedReport(t, env)
	require.Equal(t, []plan.Failure{refused, {Subject: "group/p1@main", Kind: "BranchNotFound", Reason: "BranchNotFound happened", Workflow: "produce/group/p1@main"}}, r.Failed)
	require.ElementsMatch(t, []string{"group/p0@main: snapshot abc", "group/p2@main: snapshot abc"}, r.Synced)
	require.Equal(t, []string{"old"}, r.Pruned)
	require.Equal(t, "5 checked, 1 up to date, 2 synced, 2 failed, 1 objects pruned, 3 left to prune", strings.Split(message, "\n")[0])
	require.Contains(t, message, "group/p1@main: BranchNotFound happened (BranchNotFound, workflow produce/group/p1@main)")
}

func TestProducerSyncDryRun(t *testing.T) {
	env := environment(t)
	planned(env, plan.Uploads{Checked: 2, Uploads: uploads(1), Orphans: plan.Orphans{Due: []project.Branch{branch("gone")}}})
	env.ExecuteWorkflow(workflows.ProducerSync, contract.ProducerSyncInput{DryRun: true})
	require.Equal(t, []string{
		"delete the objects of group/gone@main: its sync has left the configuration",
		"upload group/p0@main: moved",
	}, report(t, env).Planned)
	require.Equal(t, []plan.Branch{{Destination: "group/p0@main", Reason: "moved"}}, report(t, env).Behind)
}

func TestProducerSyncPrunesOrphans(t *testing.T) {
	env := environment(t)
	left := absence("gone", "away")
	planned(env, plan.Uploads{Orphans: plan.Orphans{Absence: left, Due: []project.Branch{branch("gone")}, Warning: "2 have left"}})
	env.OnActivity(producer.Prune, mock.Anything, activities.PruneRequest{Absence: left}).Return(activities.Pruned{Keys: []string{"key"}, Absence: absence("away")}, nil).Once()
	env.ExecuteWorkflow(workflows.ProducerSync, contract.ProducerSyncInput{})
	r := report(t, env)
	require.Equal(t, []string{"key"}, r.Pruned)
	require.Equal(t, absence("away"), r.Absence, "for the next cycle")
	require.Equal(t, "2 have left", r.Warning)
}

func absence(names ...string) (a plan.Absence) {
	for _, name := range names {
		a.Branches = append(a.Branches, plan.Absent{Destination: branch(name), Since: time.Unix(1, 0).UTC()})
	}
	return a
}

// A cycle remembers what the one before found absent, whether that failed or not. It remembers nothing that
// no cycle has seen.
func TestProducerSyncRemembersAbsence(t *testing.T) {
	before := contract.Report{Absence: absence("gone")}
	failed := before
	failed.Failed = []plan.Failure{{Subject: "x", Kind: "y", Reason: "z"}}
	tests := map[string]struct {
		given func(*testsuite.TestWorkflowEnvironment)
		want  plan.Absence
	}{
		"first cycle":        {func(*testsuite.TestWorkflowEnvironment) {}, plan.Absence{}},
		"after a success":    {func(env *testsuite.TestWorkflowEnvironment) { env.SetLastCompletionResult(before) }, before.Absence},
		"after failed syncs": {func(env *testsuite.TestWorkflowEnvironment) { env.SetLastError(failed.Err()) }, before.Absence},
		"after both": {func(env *testsuite.TestWorkflowEnvironment) {
			env.SetLastCompletionResult(contract.Report{})
			env.SetLastError(failed.Err())
		}, before.Absence},
		"after one without report": {func(env *testsuite.TestWorkflowEnvironment) {
			env.SetLastCompletionResult(before)
			env.SetLastError(named("BucketAccessDenied"))
		}, plan.Absence{}},
		"after something different": {func(env *testsuite.TestWorkflowEnvironment) { env.SetLastCompletionResult("what is this?") }, plan.Absence{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := environment(t)
			test.given(env)
			env.OnActivity(producer.ListSyncs, mock.Anything).Return(nil, nil).Once()
			env.OnActivity(producer.PlanUploads, mock.Anything, activities.PlanRequest{Absence: test.want}).Return(plan.Uploads{}, nil).Once()
			env.ExecuteWorkflow(workflows.ProducerSync, contract.ProducerSyncInput{})
			require.NoError(t, env.GetWorkflowError())
		})
	}
}

// What is superseded stays for the next cycle; what this one has synced is told.
func TestFailedPruneIsOneFailure(t *testing.T) {
	env := environment(t)
	planned(env, plan.Uploads{Checked: 2, UpToDate: 1, Uploads: uploads(1)})
	steps(env, nil)
	env.OnActivity(producer.Prune, mock.Anything, mock.Anything).Return(activities.Pruned{}, named("BucketAccessDenied")).Once()
	env.ExecuteWorkflow(workflows.ProducerSync, contract.ProducerSyncInput{})
	r, message := failedReport(t, env)
	require.Equal(t, []string{"group/p0@main: snapshot"}, r.Synced)
	require.Equal(t, []plan.Failure{{
		Subject: "bucket", Kind: "BucketAccessDenied", Reason: "delete objects that are no longer needed: BucketAccessDenied happened",
	}}, r.Failed)
	require.Contains(t, message, "2 checked, 1 up to date, 1 synced, 1 failed")
}

// A cycle that is too long for one history goes on in the next run, and its report with it.
func TestProducerSyncContinuesAsNew(t *testing.T) {
	env := environment(t)
	planned(env, plan.Uploads{Checked: 5, Uploads: uploads(5), Orphans: plan.Orphans{Absence: absence("gone"), Due: []project.Branch{branch("gone")}}})
	steps(env, nil)
	input := contract.ProducerSyncInput{Limits: contract.Limits{PageSize: 2}}
	env.ExecuteWorkflow(workflows.ProducerSync, input)
	next := continued(t, env)
	require.Len(t, next.Rest.Uploads, 3)
	require.Len(t, next.Rest.Report.Synced, 2)

	env = environment(t)
	env.SetContinuedExecutionRunID(next.Rest.From)
	steps(env, nil)
	env.ExecuteWorkflow(workflows.ProducerSync, next)
	next = continued(t, env)
	require.Len(t, next.Rest.Uploads, 1)

	env = environment(t)
	env.SetContinuedExecutionRunID(next.Rest.From)
	steps(env, nil)
	env.OnActivity(producer.Prune, mock.Anything, activities.PruneRequest{Absence: absence("gone")}).Return(activities.Pruned{Keys: []string{"key"}}, nil).Once()
	env.ExecuteWorkflow(workflows.ProducerSync, next)
	r := report(t, env)
	require.Equal(t, 5, r.Checked)
	require.Len(t, r.Synced, 5)
	require.Equal(t, []string{"key"}, r.Pruned)
}

func continued(t *testing.T, env *testsuite.TestWorkflowEnvironment) contract.ProducerSyncInput {
	t.Helper()
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, env.GetWorkflowError(), &again)
	var next contract.ProducerSyncInput
	require.NoError(t, fromPayloads(again.Input, &next))
	return next
}

// The server starts a cron's next run with the input of the last one. What that had left
// over is done by then.
func TestProducerSyncCronAfterContinueAsNew(t *testing.T) {
	env := environment(t)
	env.SetContinuedExecutionRunID("the run that did the rest")
	planned(env, plan.Uploads{Checked: 7, UpToDate: 7})
	env.ExecuteWorkflow(workflows.ProducerSync, contract.ProducerSyncInput{
		Rest: &contract.ProducerRest{From: "an earlier run", Uploads: uploads(3)},
	})
	require.Equal(t, contract.Report{Checked: 7, UpToDate: 7}, report(t, env))
}

// A cancelled parent waits until its children have cleaned up, whether or not all of them have started.
func TestProducerSyncCancelled(t *testing.T) {
	for inFlight, started := range map[int]int{10: 3, 2: 2} {
		env := environment(t)
		planned(env, plan.Uploads{Uploads: uploads(3)})
		cleaned, atTheEnd := 0, 0
		env.OnWorkflow(workflows.ProduceProject, mock.Anything, mock.Anything).Return(
			func(ctx workflow.Context, _ plan.Upload) (activities.Uploaded, error) {
				err := workflow.Sleep(ctx, time.Hour)
				ctx, cancel := workflow.NewDisconnectedContext(ctx)
				defer cancel()
				if workflow.Sleep(ctx, time.Minute) == nil {
					cleaned++
				}
				return activities.Uploaded{}, err
			})
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Second)
		// The test's environment ends with the last child, and not with the parent.
		parent := func(ctx workflow.Context, in contract.ProducerSyncInput) (contract.Report, error) {
			report, err := workflows.ProducerSync(ctx, in)
			atTheEnd = cleaned
			return report, err
		}
		env.RegisterWorkflow(parent)
		env.ExecuteWorkflow(parent, contract.ProducerSyncInput{Limits: contract.Limits{MaxInFlight: inFlight}})
		var cancelled *temporal.CanceledError
		require.ErrorAs(t, env.GetWorkflowError(), &cancelled)
		require.Equal(t, started, atTheEnd)
	}
}
