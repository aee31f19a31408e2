package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// logRig runs workflows as a worker does, and reads what it logs.
type logRig struct {
	*testing.T
	log   sharedBuffer
	known *knownFailures
	read  int
}

// execute runs a workflow with the role's interceptors, and returns the lines that it has logged, without those for developers.
func (r *logRig) execute(started time.Time, w, input any) (lines []map[string]any) {
	r.Helper()
	logger := newLogger(&r.log, foreign.NewMask(loggedSecret), config.Logging{LogLevel: config.LogLevel(slog.LevelDebug)}).With("role", "consumer")
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(sdkHandler{logger.Handler()})))
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(started)
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{
		&syncLog{role: contract.Consumer, log: logger, known: r.known}, &activities.ErrorNaming{Mask: foreign.NewMask(loggedSecret)},
	}})
	env.RegisterActivityWithOptions(flakyPush, activity.RegisterOptions{Name: "Push"})
	env.ExecuteWorkflow(w, input)
	require.True(r, env.IsWorkflowCompleted())
	text := r.log.String()
	for line := range strings.Lines(text[r.read:]) {
		var l map[string]any
		require.NoError(r, json.Unmarshal([]byte(line), &l), line)
		if l["level"] != "DEBUG" { // what this environment says of itself
			lines = append(lines, l)
		}
	}
	r.read = len(text)
	return lines
}

// of are the lines of a level, as "message of key=value …" with the named keys.
func of(level string, lines []map[string]any, keys ...string) (said []string) {
	for _, l := range lines {
		if l["level"] != level {
			continue
		}
		text := fmt.Sprint(l["msg"])
		for _, key := range keys {
			if value, ok := l[key]; ok {
				text += fmt.Sprintf(" %s=%v", key, value)
			}
		}
		said = append(said, text)
	}
	return said
}

// flakyPush fails at first, and for good if the plan says so.
func flakyPush(ctx context.Context, work activities.PushWork) (activities.Pushed, error) {
	activity.GetLogger(ctx).Warn("At work")
	if activity.GetInfo(ctx).Attempt == 1 {
		return activities.Pushed{}, errors.New("the server said s3cret-token")
	}
	if work.Plan.Reason == "fails" {
		return activities.Pushed{}, temporal.NewNonRetryableApplicationError("denied\nAsk.", "GitForbidden", nil)
	}
	if work.Plan.Reason == "is paused" {
		return activities.Pushed{Summary: "left alone", Pause: &fleet.Pause{}}, nil
	}
	return activities.Pushed{Summary: "pushed", Size: 12}, nil
}

func consumeProject(ctx workflow.Context, push plan.Push) (pushed activities.Pushed, err error) {
	workflow.GetLogger(ctx).Warn("Begun")
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	err = workflow.ExecuteActivity(ctx, "Push", activities.PushWork{Plan: push}).Get(ctx, &pushed)
	return pushed, err
}

var syncKeys = []string{"role", "destination", "step", "attempt", "kind", "error", "bytes", "summary"}

// Each line about a sync says what it is about. A failure is one error, however often it is seen while it stays the same, and an attempt
// after which there is another one is a warning.
func TestSyncLog(t *testing.T) {
	r := &logRig{T: t, known: newKnownFailures()}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	push := plan.Push{Destination: project.Branch{Group: "mirror", Name: "App", Branch: "main"}}
	lines := r.execute(start, consumeProject, push)
	require.Equal(t, []string{"Synced role=consumer destination=mirror/App@main bytes=12 summary=pushed"}, of("INFO", lines, syncKeys...))
	require.Equal(t, []string{
		"Begun role=consumer destination=mirror/App@main",
		"At work role=consumer destination=mirror/App@main step=Push attempt=1",
		"The step has failed, and is tried again role=consumer destination=mirror/App@main step=Push attempt=1 kind=Other error=the server said ***",
		"At work role=consumer destination=mirror/App@main step=Push attempt=2",
	}, of("WARN", lines, syncKeys...))
	require.Empty(t, of("ERROR", lines))
	require.Equal(t, "Begun", lines[0]["msg"])
	for _, l := range lines[1:] { // the test's environment has a logger of its own for the first
		require.NotEmpty(t, l["workflow_id"], l)
		require.NotEmpty(t, l["run_id"], l)
	}

	push.Reason = "fails"
	failed := []string{"Failed role=consumer destination=mirror/App@main kind=GitForbidden error=denied\nAsk."}
	for i, said := range [][]string{failed, nil, nil} { // every 5 minutes
		require.Equal(t, said, of("ERROR", r.execute(start.Add(time.Duration(i)*5*time.Minute), consumeProject, push), syncKeys...))
	}
	require.Equal(t, failed, of("ERROR", r.execute(start.Add(3*time.Hour), consumeProject, push), syncKeys...), "another worker may have seen it end")
	push.Reason = ""
	r.execute(start.Add(3*time.Hour), consumeProject, push)
	push.Reason = "fails"
	require.Equal(t, failed, of("ERROR", r.execute(start.Add(3*time.Hour), consumeProject, push), syncKeys...), "it was in sync in between")
}

// What a plan finds fails no step, and is said where the cycle ends; what a sync's own run has said is not said again.
func TestCycleLog(t *testing.T) {
	r := &logRig{T: t, known: newKnownFailures()}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	report := contract.Report{Checked: 4, UpToDate: 1, Synced: []string{"a", "b"}, Bytes: 34}
	report.FailAll(plan.Failures{Failed: []plan.Failure{
		{Subject: "mirror/app@main", Kind: "Unreachable", Reason: "no connection"},
		{Subject: "mirror/app@other", Kind: "GitForbidden", Reason: "denied", Workflow: "consume/mirror/app@other"},
		{Subject: "mirror/app@third", Kind: plan.KindChildFailed, Reason: "terminated", Workflow: "consume/mirror/app@third"},
		{Subject: "catalog", Kind: "CatalogStale", Reason: "old"},
	}})
	cycle := func(report contract.Report, err error) func(workflow.Context, contract.CycleInput) (contract.Report, error) {
		return func(ctx workflow.Context, _ contract.CycleInput) (contract.Report, error) {
			return report, errors.Join(workflow.Sleep(ctx, time.Minute), err)
		}
	}
	ends := cycle(report, report.Err())
	keys := []string{"destination", "subject", "kind", "checked", "up_to_date", "synced", "failed", "bytes", "took_seconds"}
	lines := r.execute(start, ends, contract.CycleInput{})
	require.Equal(t, []string{
		"Failed destination=mirror/app@main kind=Unreachable took_seconds=60", "Failed destination=mirror/app@third kind=ChildFailed took_seconds=60",
		"Failed subject=catalog kind=CatalogStale took_seconds=60",
	}, of("ERROR", lines, keys...))
	finished := []string{"Cycle finished checked=4 up_to_date=1 synced=2 failed=4 bytes=34 took_seconds=60"}
	require.Equal(t, finished, of("INFO", lines, keys...))

	lines = r.execute(start, cycle(report, nil), contract.CycleInput{})
	require.Empty(t, of("ERROR", lines), "nothing has changed")
	require.Equal(t, finished, of("INFO", lines, keys...), "a cycle that fails with nothing new ends well")
	require.Empty(t, of("INFO", r.execute(start, ends, contract.CycleInput{Only: []string{"mirror/app@main"}})))
	require.Empty(t, of("ERROR", r.execute(start, ends, contract.CycleInput{DryRun: true})))

	r.execute(start, cycle(contract.Report{}, nil), contract.CycleInput{})
	require.Len(t, of("ERROR", r.execute(start, ends, contract.CycleInput{})), 3, "all was well in between")

	lines = r.execute(start, cycle(contract.Report{}, temporal.NewApplicationError("refused", "GraphQLAuthFailed")), contract.CycleInput{})
	require.Equal(t, []string{"Failed kind=GraphQLAuthFailed took_seconds=60"}, of("ERROR", lines, keys...))
	lines = r.execute(start, cycle(contract.Report{}, temporal.NewCanceledError()), contract.CycleInput{})
	require.Empty(t, of("ERROR", lines))
	require.Equal(t, []string{"Cancelled"}, of("INFO", lines))
}

// A worker knows a bounded number of failures.
func TestKnownFailuresAreBounded(t *testing.T) {
	k, now := newKnownFailures(), time.Now()
	for i := range maxKnownFailures + 1 {
		require.True(t, k.isNews(fmt.Sprint(i), "kind", now))
	}
	require.LessOrEqual(t, len(k.all), maxKnownFailures)
	require.True(t, k.isNews("a", "kind", now))
	require.True(t, k.isNews("a", "another", now))
	require.False(t, k.isNews("a", "kind", now.Add(59*time.Minute)))
	for range 30 { // it is seen all day
		now = now.Add(59 * time.Minute)
		if k.isNews("a", "kind", now) {
			break
		}
	}
	require.InDelta(t, 24, time.Since(now).Hours()*-1, 2, "it is said again after a day")
}

// A run that a pause has left alone has synced nothing, and what the sync failed with before is no news after it.
func TestPausedSyncIsNotSynced(t *testing.T) {
	r := &logRig{T: t, known: newKnownFailures()}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	push := plan.Push{Destination: project.Branch{Group: "mirror", Name: "App", Branch: "main"}, Reason: "fails"}
	require.Len(t, of("ERROR", r.execute(start, consumeProject, push)), 1)
	push.Reason = "is paused"
	lines := r.execute(start, consumeProject, push)
	require.Equal(t, []string{"Left alone destination=mirror/App@main summary=left alone"}, of("INFO", lines, "destination", "summary"))
	push.Reason = "fails"
	require.Empty(t, of("ERROR", r.execute(start, consumeProject, push)))
}
