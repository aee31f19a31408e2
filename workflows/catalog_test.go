package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// catalogs is a bucket with a later catalog in each cycle. Every second cycle fails, and every fourth because the bucket
// cannot be read.
type catalogs struct {
	*script
	cycles     int
	remembered chan plan.CatalogSeen // by each cycle
}

func numbered(n int) plan.CatalogSeen {
	return plan.CatalogSeen{Sequence: int64(n), CreatedAt: time.Unix(int64(n), 0).UTC()}
}

func (c *catalogs) PlanPushes(_ context.Context, r activities.PlanRequest) (page plan.Page[plan.Push], err error) {
	c.remembered <- r.Catalog
	c.cycles++
	switch page.Catalog = numbered(c.cycles); {
	case c.cycles%4 == 0:
		return page, named("BrokenListing")
	case c.cycles%2 == 0:
		page.Fail(plan.Failure{Subject: "catalog", Kind: plan.KindCatalogStale, Reason: "old"})
	}
	return page, nil
}

// A real server hands over which catalog the cycle before has seen, whether that has ended well, with failures, or not
// come as far as to read one.
func TestCatalogIsRemembered(t *testing.T) {
	t.Parallel()
	for name, start := range everySecond {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &catalogs{script: newScript(), remembered: make(chan plan.CatalogSeen, 1000)}
			require.NoError(t, start(t.Context(), scripted(t, c), contract.Consumer, contract.CycleInput{}))
			for cycle, want := range []plan.CatalogSeen{{}, numbered(1), numbered(2), numbered(3), numbered(3), numbered(5)} {
				select {
				case got := <-c.remembered:
					require.Equal(t, want, got, "cycle %d", cycle+1)
				case <-time.After(time.Minute):
					require.Fail(t, "no more cycles", "after %d", cycle)
				}
			}
		})
	}
}

// A plan that cannot be made ends as it did before there was anything to remember.
func TestFailedPlanKeepsItsKind(t *testing.T) {
	for _, before := range []plan.CatalogSeen{{}, numbered(1)} {
		env := environment(t)
		env.SetLastCompletionResult(contract.Report{Catalog: before})
		env.OnActivity(consumer.PlanPushes, mock.Anything, mock.Anything).Return(plan.Page[plan.Push]{}, named("GitServerDown"))
		env.ExecuteWorkflow(workflows.ConsumerSync, contract.CycleInput{})
		kind, reason := contract.FailureOf(env.GetWorkflowError())
		require.Equal(t, "GitServerDown", kind)
		require.Contains(t, reason, "happened")
	}
}

// A bucket that answers without end makes a cycle fail, and no cycle forget what catalog there was. Nor does one forget that was
// ended from outside.
func TestCatalogIsRememberedAfterCyclesWithoutAReport(t *testing.T) {
	tooLong := temporal.NewTimeoutError(enums.TIMEOUT_TYPE_START_TO_CLOSE, nil)
	env := environment(t)
	env.SetLastCompletionResult(contract.Report{Catalog: numbered(7)})
	env.OnActivity(consumer.PlanPushes, mock.Anything, mock.Anything).Return(plan.Page[plan.Push]{}, tooLong)
	env.ExecuteWorkflow(workflows.ConsumerSync, contract.CycleInput{})
	failed, ok := errors.AsType[*temporal.ApplicationError](env.GetWorkflowError())
	require.True(t, ok && failed.HasDetails())
	var handedOn contract.Report
	require.NoError(t, failed.Details(&handedOn))
	require.Equal(t, numbered(7), handedOn.Catalog)
	require.Len(t, handedOn.Lags.List, 1)
	require.Equal(t, plan.SubjectPlan, handedOn.Lags.List[0].Destination)
	require.Zero(t, handedOn.Checked)
	require.Contains(t, failed.Message(), "took longer than it may")

	older := &contract.Report{Catalog: numbered(5), Failures: plan.Failures{Failed: []plan.Failure{{Subject: "catalog", Kind: plan.KindCatalogStale}}}}
	for name, last := range map[string]error{"ended from outside": tooLong, "cancelled": temporal.NewCanceledError(), "failed": older.Err()} {
		env := environment(t)
		env.SetLastCompletionResult(contract.Report{Absence: absence("before"), Catalog: numbered(7)})
		env.SetLastError(last)
		var told activities.PlanRequest
		env.OnActivity(consumer.PlanPushes, mock.Anything, mock.Anything).Return(func(_ context.Context, r activities.PlanRequest) (plan.Page[plan.Push], error) {
			told = r
			return plan.Page[plan.Push]{}, nil
		})
		env.ExecuteWorkflow(workflows.ConsumerSync, contract.CycleInput{})
		require.Equal(t, numbered(7), told.Catalog, name)
		require.Empty(t, told.Absence, name)
	}
}

// All pages of a cycle know the newest catalog, and workers of before there were catalogs make no cycle forget it.
func TestPagesShareTheCatalog(t *testing.T) {
	env := environment(t)
	env.SetLastCompletionResult(contract.Report{Catalog: numbered(7)})
	answers := []plan.CatalogSeen{numbered(8), {}, numbered(9)}
	var told []plan.CatalogSeen
	env.OnActivity(consumer.PlanPushes, mock.Anything, mock.Anything).Return(func(_ context.Context, r activities.PlanRequest) (plan.Page[plan.Push], error) {
		told = append(told, r.Catalog)
		return plan.Page[plan.Push]{Reached: r.After + 1, Left: 3 - len(told), Catalog: answers[len(told)-1], NotCatalogued: 1}, nil
	})
	env.ExecuteWorkflow(workflows.ConsumerSync, contract.CycleInput{})
	require.Equal(t, []plan.CatalogSeen{numbered(7), numbered(8), numbered(8)}, told)
	r := report(t, env)
	require.Equal(t, numbered(9), r.Catalog)
	require.Equal(t, 3, r.NotCatalogued)
	require.Contains(t, r.String(), "3 not in the producer's catalog")
}

// What the catalog says of each sync is in the report of a dry run, also of those that have no move.
func TestDryRunTellsOfTheSource(t *testing.T) {
	env := environment(t)
	source := func(state string) *plan.SourceStatus { return &plan.SourceStatus{State: state} }
	name := func(b string) string { return branch(b).String() }
	env.OnActivity(consumer.PlanPushes, mock.Anything, mock.Anything).Return(plan.Page[plan.Push]{
		Moves:   []plan.Push{pushOf("moves")},
		InSync:  []plan.BranchStatus{{Destination: name("there"), Source: source("b")}},
		Waiting: []plan.BranchStatus{{Destination: name("never"), Reason: "nothing yet", Source: source("c")}},
		Sources: map[string]*plan.SourceStatus{name("moves"): source("a"), name("fails"): source("d")},
	}, nil)
	env.ExecuteWorkflow(workflows.ConsumerSync, contract.CycleInput{DryRun: true})
	r := report(t, env)
	require.Equal(t, []plan.BranchStatus{
		{Destination: name("moves"), Reason: "behind", Source: source("a")}, {Destination: name("never"), Reason: "nothing yet", Source: source("c")},
	}, r.Behind)
	require.Equal(t, source("b"), r.InSync[0].Source)
	require.Equal(t, map[string]*plan.SourceStatus{name("fails"): source("d")}, r.Sources)
	require.Equal(t, []string{"push " + name("moves") + ": behind", "leave " + name("never") + ": nothing yet"}, r.Planned)
}
