package service

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// inRun gives a workflow of the test environment, whose runs all have one ID, an ID of its own.
type inRun struct {
	interceptor.WorkerInterceptorBase
	id string
}

func (r *inRun) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &numberedWorkflow{interceptor.WorkflowInboundInterceptorBase{Next: next}, r.id}
}

type numberedWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase
	id string
}

func (w *numberedWorkflow) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	workflow.GetInfo(ctx).WorkflowExecution.RunID = w.id
	return w.Next.ExecuteWorkflow(ctx, in)
}

// endsWith says that a cycle ends well, with a report.
type endsWith contract.Report

func (endsWith) Error() string { return "" }

// runRecorded makes a run, of an ID of its own, of a workflow that takes a minute, and returns what the page then has of cycles.
func runRecorded(t *testing.T, m *metrics, input any, ends error) string {
	t.Helper()
	return runRecordedAs(t, m, rand.Text(), input, ends)
}

// runRecordedAs makes a run of a workflow that takes a minute, and returns what the page then has of cycles.
func runRecordedAs(t *testing.T, m *metrics, runID string, input any, ends error) string {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&inRun{id: runID}, &cycleRecorder{metrics: m.cycles}}})
	minute := func(ctx workflow.Context) error {
		if err := workflow.Sleep(ctx, time.Minute); err != nil {
			return err
		}
		return ends
	}
	if report, ok := errors.AsType[endsWith](ends); ok {
		env.ExecuteWorkflow(func(ctx workflow.Context, _ contract.CycleInput) (contract.Report, error) {
			return contract.Report(report), workflow.Sleep(ctx, time.Minute)
		}, input)
	} else if _, ok := input.(contract.CycleInput); ok {
		env.ExecuteWorkflow(func(ctx workflow.Context, _ contract.CycleInput) error { return minute(ctx) }, input)
	} else {
		env.ExecuteWorkflow(func(ctx workflow.Context, _ string) error { return minute(ctx) }, input)
	}
	require.True(t, env.IsWorkflowCompleted())
	_, page := probe(t, m.page, "/metrics")
	return page
}

// The names, types, labels and meanings are those of the software that this one replaces.
func TestCycleMetrics(t *testing.T) {
	t.Parallel()
	m, err := newMetrics("producer", "fedramp")
	require.NoError(t, err)
	const labels = `{integration="git-partition-sync-producer",shard_id="fedramp"}`
	for name, input := range map[string]any{"a branch": "a branch's workflow", "a dry run": contract.CycleInput{DryRun: true}, "some syncs": contract.CycleInput{Only: []string{"a/b@main"}}} {
		require.NotContains(t, runRecorded(t, m, input, nil), "qontract_reconcile", name)
	}
	continues := &workflow.ContinueAsNewError{WorkflowType: &workflow.Type{Name: contract.Producer.Parent}}
	require.NotContains(t, runRecorded(t, m, contract.CycleInput{}, continues), "qontract_reconcile", "the cycle has not ended")

	page := runRecorded(t, m, contract.CycleInput{}, nil)
	for _, want := range []string{
		"# TYPE qontract_reconcile_execution_counter_total counter\nqontract_reconcile_execution_counter_total" + labels + " 1\n",
		"# TYPE qontract_reconcile_last_run_status gauge\nqontract_reconcile_last_run_status" + labels + " 0\n",
		"# TYPE qontract_reconcile_last_run_seconds gauge\nqontract_reconcile_last_run_seconds" + labels + " 60\n",
	} {
		require.Contains(t, page, want)
	}

	page = runRecorded(t, m, contract.CycleInput{}, errors.New("a branch failed"))
	require.Contains(t, page, "qontract_reconcile_execution_counter_total"+labels+" 1\n", "only cycles without a failure are counted")
	require.Contains(t, page, "qontract_reconcile_last_run_status"+labels+" 1\n")

	page = runRecorded(t, m, contract.CycleInput{DryRun: true}, nil)
	require.Contains(t, page, "qontract_reconcile_last_run_status"+labels+" 1\n", "a plan does not end an alert")
	page = runRecorded(t, m, contract.CycleInput{}, nil)
	require.Contains(t, page, "qontract_reconcile_execution_counter_total"+labels+" 2\n")
	require.Contains(t, page, "qontract_reconcile_last_run_status"+labels+" 0\n")
}

// A cycle that has nothing new to tell ends well although syncs fail. It is counted by what is in its report.
func TestCyclesAreCountedByTheirReports(t *testing.T) {
	t.Parallel()
	m, err := newMetrics("producer", "fedramp")
	require.NoError(t, err)
	counted := func(ok, failed int, page string) {
		t.Helper()
		require.Contains(t, page, fmt.Sprintf(`git_partition_sync_cycles_total{result="ok",role="producer"} %d`, ok))
		require.Contains(t, page, fmt.Sprintf(`git_partition_sync_cycles_total{result="failed",role="producer"} %d`, failed))
	}
	counted(0, 0, gathered(t, m))
	fails := endsWith{Failures: plan.Failures{FailedMore: 1}}
	page := runRecorded(t, m, contract.CycleInput{}, fails)
	counted(0, 1, page)
	require.Contains(t, page, `qontract_reconcile_last_run_status{integration="git-partition-sync-producer",shard_id="fedramp"} 1`)
	counted(1, 1, runRecorded(t, m, contract.CycleInput{}, endsWith{}))
	counted(1, 2, runRecorded(t, m, contract.CycleInput{}, errors.New("it could not plan")))
	counted(1, 2, runRecorded(t, m, contract.CycleInput{DryRun: true}, fails))
	counted(1, 2, runRecorded(t, m, contract.CycleInput{Only: []string{"a/b@main"}}, fails))
}

// A run's last task is repeated when Temporal has not heard how it went.
func TestRepeatedTaskIsOneCycle(t *testing.T) {
	t.Parallel()
	m, err := newMetrics("consumer", "fedramp")
	require.NoError(t, err)
	const counted = `qontract_reconcile_execution_counter_total{integration="git-partition-sync-consumer",shard_id="fedramp"} `
	require.Contains(t, runRecordedAs(t, m, "one", contract.CycleInput{}, nil), counted+"1\n")
	require.Contains(t, runRecordedAs(t, m, "one", contract.CycleInput{}, nil), counted+"1\n")
	require.Contains(t, runRecordedAs(t, m, "two", contract.CycleInput{}, nil), counted+"2\n")
}

// A cycle that continued as a new run took as long as all of its runs.
func TestContinuedCycleIsOne(t *testing.T) {
	t.Parallel()
	now := time.Now()
	require.Equal(t, now, contract.CycleInput{}.Began(now))
	require.Equal(t, now, contract.CycleInput{Continuation: &contract.Continuation{}}.Began(now), "an earlier version did not say")
	began := now.Add(-time.Hour)
	require.Equal(t, began, contract.CycleInput{Continuation: &contract.Continuation{Began: began}}.Began(now))
}

// A history that is replayed, such as after a worker's restart or for a query, is no cycle that has ended.
func TestReplayedCyclesAreNotRecorded(t *testing.T) {
	t.Parallel()
	m, err := newMetrics("producer", "fedramp")
	require.NoError(t, err)
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Interceptors: []interceptor.WorkerInterceptor{&cycleRecorder{metrics: m.cycles}}})
	require.NoError(t, err)
	workflows.RegisterProducer(replayer)
	histories, err := filepath.Glob("../../workflows/testdata/histories/producer-sync*.json")
	require.NoError(t, err)
	require.NotEmpty(t, histories)
	for _, history := range histories {
		require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(nil, history))
	}
	_, page := probe(t, m.page, "/metrics")
	require.NotContains(t, page, "qontract_reconcile")
}
