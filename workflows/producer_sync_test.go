package workflows_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
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
func planned(env *testsuite.TestWorkflowEnvironment, p plan.Page[plan.Upload]) {
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
	require.Equal(t, plan.KindSyncsFailed, failure.Type())
	require.True(t, failure.NonRetryable())
	var r contract.Report
	require.NoError(t, failure.Details(&r))
	return r, failure.Message()
}

func TestProducerSyncIdle(t *testing.T) {
	env := environment(t)
	planned(env, plan.Page[plan.Upload]{Checked: 1000, UpToDate: 1000})
	started, queues := 0, map[string]string{}
	env.SetOnActivityStartedListener(func(info *activityInfo, _ context.Context, _ encodedValues) {
		started++
		queues[info.ActivityType.Name] = info.TaskQueue
	})
	env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{})
	r := report(t, env)
	require.False(t, r.Began.IsZero())
	require.Equal(t, contract.Report{Checked: 1000, UpToDate: 1000, Began: r.Began, Lags: fleet.Lags{LookedAt: r.Began}}, r)
	require.Equal(t, "comparing both ends", status(t, env).Step, "and not that none of none is done")
	require.Equal(t, 1, started, "an idle cycle costs the same however many syncs there are")
	require.Equal(t, map[string]string{"PlanUploads": testQueue + "/scans"}, queues, "steps leave scans room")
}

// One broken project fails its own child and the parent, and stops nobody else.
func TestProducerSyncIsolatesFailures(t *testing.T) {
	env := environment(t)
	refused := plan.Failure{Subject: "x", Kind: plan.KindDuplicateDestination, Reason: "2 syncs"}
	planned(env, plan.Page[plan.Upload]{Checked: 5, UpToDate: 1, Moves: uploads(3), Failures: plan.Failures{Failed: []plan.Failure{refused}}})
	env.OnWorkflow(workflows.ProduceProject, mock.Anything, mock.Anything).Return(
		func(_ workflow.Context, u plan.Upload) (activities.Uploaded, error) {
			if u.Sync.Destination.Name == "p1" {
				return activities.Uploaded{}, named("BranchNotFound")
			}
			return activities.Uploaded{Summary: "snapshot abc"}, nil
		})
	env.OnActivity(producer.Prune, mock.Anything, activities.PruneRequest{}).Return(activities.Pruned{Keys: []string{"old"}, Left: 3}, nil).Once()
	env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{})

	r, message := failedReport(t, env)
	require.Equal(t, []plan.Failure{refused, {Subject: "group/p1@main", Kind: "BranchNotFound", Reason: "BranchNotFound happened", Workflow: "produce/group/p1@main"}}, r.Failed)
	require.ElementsMatch(t, []string{"group/p0@main: snapshot abc", "group/p2@main: snapshot abc"}, r.Synced)
	require.Equal(t, []string{"old"}, r.Pruned)
	require.Equal(t, "5 checked, 1 up to date, 2 synced, 2 failed, 1 objects pruned, 3 left to prune", strings.Split(message, "\n")[1])
	require.Contains(t, message, "group/p1@main: BranchNotFound happened (BranchNotFound, workflow produce/group/p1@main)")
}

func TestProducerSyncDryRun(t *testing.T) {
	env := environment(t)
	since, inSync := time.Unix(1, 0).UTC(), []plan.BranchStatus{{Destination: "group/same@main"}}
	moves := uploads(1)
	moves[0].SeenChain.Modified = since
	planned(env, plan.Page[plan.Upload]{Checked: 2, UpToDate: 1, Moves: moves, InSync: inSync, Superseded: 2, Orphans: plan.Orphans{Due: []project.Branch{branch("gone")}},
		LFSDue: []plan.LFSDeletion{{Project: "group/gone", Reason: "why"}}, LFS: &plan.LFSInBucket{LFSUsage: plan.LFSUsage{Objects: 1, Size: 2}}})
	env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{DryRun: true})
	require.Equal(t, []string{
		"delete 2 objects that newer ones have replaced",
		"delete the objects of group/gone@main: its sync has left the configuration",
		"delete LFS objects of group/gone: why",
		"upload group/p0@main: moved",
	}, report(t, env).Planned)
	require.Equal(t, []plan.BranchStatus{{Destination: "group/p0@main", Reason: "moved", Since: since}}, report(t, env).Behind)
	require.Equal(t, inSync, report(t, env).InSync)
	require.Equal(t, 1, report(t, env).LFS.Objects)
}

// What would be deleted is named by its destination; what the plan has no names of is counted.
func TestDryRunNamesDeletionsByDestination(t *testing.T) {
	env := environment(t)
	planned(env, plan.Page[plan.Upload]{
		Superseded: 5, Orphans: plan.Orphans{Due: []project.Branch{branch("gone"), branch("unnamed")}},
		Deletable: []plan.Deletable{{Destination: "group/gone@main", Objects: 1, Bytes: 300, Orphaned: true}, {Destination: "group/p0@main", Objects: 3, Bytes: 12_000_000}},
	})
	env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{DryRun: true})
	require.Equal(t, []string{
		"delete 1 object, 300 B, of group/gone@main: its sync has left the configuration",
		"delete 3 objects, 12 MB, of group/p0@main: newer ones have replaced them",
		"delete 2 more objects that newer ones have replaced",
		"delete the objects of group/unnamed@main: its sync has left the configuration",
	}, report(t, env).Planned)
}

func TestProducerSyncPrunesOrphans(t *testing.T) {
	env := environment(t)
	left := absence("gone", "away")
	planned(env, plan.Page[plan.Upload]{Orphans: plan.Orphans{Absence: left, Due: []project.Branch{branch("gone")}}, Warning: "2 have left"})
	env.OnActivity(producer.Prune, mock.Anything, activities.PruneRequest{Absence: left}).Return(activities.Pruned{Keys: []string{"key"}, Absence: absence("away")}, nil).Once()
	env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{})
	r := report(t, env)
	require.Equal(t, []string{"key"}, r.Pruned)
	require.Equal(t, absence("away"), r.Absence, "for the next cycle")
	require.Equal(t, "2 have left", r.Warning)
	require.Equal(t, "deleting objects that are no longer needed", status(t, env).Step)
}

// What is superseded is deleted, also when nothing has to move.
func TestProducerSyncPrunesSuperseded(t *testing.T) {
	for superseded, times := range map[int]int{0: 0, 1: 1} {
		env := environment(t)
		planned(env, plan.Page[plan.Upload]{Checked: 1, UpToDate: 1, Superseded: superseded})
		pruned := 0
		env.OnActivity(producer.Prune, mock.Anything, mock.Anything).Return(func(context.Context, activities.PruneRequest) (activities.Pruned, error) {
			pruned++
			return activities.Pruned{}, nil
		}).Maybe()
		env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{})
		require.NoError(t, env.GetWorkflowError())
		require.Equal(t, times, pruned)
	}
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
		"after one that timed out": {func(env *testsuite.TestWorkflowEnvironment) {
			env.SetLastCompletionResult(before)
			env.SetLastError(temporal.NewTimeoutError(enums.TIMEOUT_TYPE_START_TO_CLOSE, nil))
		}, plan.Absence{}},
		"after something different": {func(env *testsuite.TestWorkflowEnvironment) { env.SetLastCompletionResult("what is this?") }, plan.Absence{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := environment(t)
			test.given(env)
			env.OnActivity(producer.PlanUploads, mock.Anything, mock.Anything).Return(func(_ context.Context, r activities.PlanRequest) (plan.Page[plan.Upload], error) {
				require.Equal(t, test.want, r.Absence)
				return plan.Page[plan.Upload]{}, nil
			}).Once()
			env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{})
			require.NoError(t, env.GetWorkflowError())
		})
	}
}

// After its children, a cycle renews the catalog, before it deletes anything, and whether they have failed or not.
func TestCatalogIsRenewedAfterChildren(t *testing.T) {
	for name, end := range map[string]error{"synced": nil, "failed": named("BranchNotFound")} {
		t.Run(name, func(t *testing.T) {
			env := bareEnvironment(t)
			planned(env, plan.Page[plan.Upload]{Checked: 1, Moves: uploads(1), Superseded: 1})
			var order []string
			env.OnWorkflow(workflows.ProduceProject, mock.Anything, mock.Anything).Return(activities.Uploaded{}, end)
			env.SetOnActivityStartedListener(func(info *activityInfo, _ context.Context, _ encodedValues) {
				order = append(order, info.ActivityType.Name)
			})
			env.OnActivity(producer.Publish, mock.Anything).Return(nil).Once()
			env.OnActivity(producer.Prune, mock.Anything, mock.Anything).Return(activities.Pruned{}, nil).Once()
			env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{})
			require.Equal(t, []string{"PlanUploads", "Publish", "Prune"}, order)
		})
	}
}

// That the catalog was not written is one failure; what was synced stays synced.
func TestFailedPublishIsOneFailure(t *testing.T) {
	env := bareEnvironment(t)
	planned(env, plan.Page[plan.Upload]{Checked: 1, Moves: uploads(1)})
	steps(env, nil)
	env.OnActivity(producer.Publish, mock.Anything).Return(named("CatalogNotWritten")).Once()
	env.OnActivity(producer.Prune, mock.Anything, mock.Anything).Return(activities.Pruned{}, nil).Once()
	env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{})
	r, _ := failedReport(t, env)
	require.Equal(t, []string{"group/p0@main: snapshot"}, r.Synced)
	require.Equal(t, []plan.Failure{{Subject: "bucket", Kind: "CatalogNotWritten", Reason: "renew the catalog: CatalogNotWritten happened"}}, r.Failed)
}

// A cycle says how often cycles begin, for the catalog.
func TestIntervalIsPassedOn(t *testing.T) {
	env := environment(t)
	env.OnActivity(producer.PlanUploads, mock.Anything, mock.MatchedBy(func(r activities.PlanRequest) bool { return r.IntervalSeconds == 90 })).
		Return(plan.Page[plan.Upload]{}, nil).Once()
	env.ExecuteWorkflow(workflows.ProducerSync, contract.RepeatedEvery(90*time.Second))
	require.NoError(t, env.GetWorkflowError())
}

// What is superseded stays for the next cycle; what this one has synced is told.
func TestFailedPruneIsOneFailure(t *testing.T) {
	env := environment(t)
	planned(env, plan.Page[plan.Upload]{Checked: 2, UpToDate: 1, Moves: uploads(1)})
	steps(env, nil)
	env.OnActivity(producer.Prune, mock.Anything, mock.Anything).Return(activities.Pruned{}, named("BucketAccessDenied")).Once()
	env.ExecuteWorkflow(workflows.ProducerSync, contract.CycleInput{})
	r, message := failedReport(t, env)
	require.Equal(t, []string{"group/p0@main: snapshot"}, r.Synced)
	require.Equal(t, []plan.Failure{{
		Subject: "bucket", Kind: "BucketAccessDenied", Reason: "delete objects that are no longer needed: BucketAccessDenied happened",
	}}, r.Failed)
	require.Contains(t, message, "2 checked, 1 up to date, 1 synced, 1 failed")
}
