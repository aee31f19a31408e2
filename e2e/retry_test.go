package e2e_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// protect makes a destination refuse pushes as GitLab does, and unprotect lets them in.
func protect(t sides, repo string) {
	t.Helper()
	create(t, t.Destination, repo)
	hook(t, repo, "echo 'GitLab: You are not allowed to push code to protected branches on this project.' >&2; exit 1")
}

func unprotect(t sides, repo string) {
	t.Helper()
	hook(t, repo, "exit 0")
}

// execution is a run of a consumer's child.
type execution struct {
	*common.WorkflowExecution
	input *common.Payloads
	tasks []int64 // the events to which the UI offers to reset it
}

func lastRun(t sides, destination string) execution {
	t.Helper()
	c := t.Temporal.Clients[stack.Consumer]
	id := consumeID(destination)
	r := execution{WorkflowExecution: &common.WorkflowExecution{WorkflowId: id, RunId: c.GetWorkflow(t.Context(), id, "").GetRunID()}}
	events := c.GetWorkflowHistory(t.Context(), id, r.RunId, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		switch event.EventType {
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
			r.input = event.GetWorkflowExecutionStartedEventAttributes().GetInput()
		case enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			r.tasks = append(r.tasks, event.EventId)
		}
	}
	return r
}

// reset is the call that the UI's Reset makes.
func (r execution) reset(t sides, task int64) client.WorkflowRun {
	t.Helper()
	c := t.Temporal.Clients[stack.Consumer]
	answer, err := c.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:                 string(stack.Consumer),
		WorkflowExecution:         r.WorkflowExecution,
		WorkflowTaskFinishEventId: task,
		Reason:                    t.Name(),
		RequestId:                 uuid.NewString(),
	})
	require.NoError(t, err)
	return c.GetWorkflow(t.Context(), r.WorkflowId, answer.RunId)
}

func starter(t sides, role stack.Role, args ...string) {
	t.Helper()
	out, err := t.Starter(t.Context(), role, args...)
	require.NoError(t, err, out)
}

func arrived(t sides, destination string) string {
	t.Helper()
	b := branch(destination)
	heads, err := t.Destination.Heads(t.Context(), b.Path())
	require.NoError(t, err)
	return heads[b.Branch]
}

// awaitHead waits for whoever pushes a destination.
func awaitHead(t sides, destination, sha string) {
	t.Helper()
	require.Eventually(t, func() bool { return arrived(t, destination) == sha }, time.Minute, 50*time.Millisecond)
}

// schedule creates a side's schedule for the rest of the test. Its first cycle starts at once.
func schedule(t sides, role stack.Role, every string) client.ScheduleHandle {
	t.Helper()
	starter(t, role, "schedule", "create", "--every", every)
	h := t.Temporal.Clients[role].ScheduleClient().GetHandle(t.Context(), string(role)+"-sync")
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		require.NoError(t, h.Pause(ctx, client.SchedulePauseOptions{}))
		awaitSchedule(t, h, func(i client.ScheduleInfo) bool { return len(i.RunningWorkflows) == 0 })
		out, err := t.Starter(ctx, role, "schedule", "delete")
		require.NoError(t, err, out)
	})
	return h
}

func awaitSchedule(t testing.TB, h client.ScheduleHandle, ready func(client.ScheduleInfo) bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		d, err := h.Describe(context.WithoutCancel(t.Context()))
		return err == nil && ready(d.Info)
	}, time.Minute, 50*time.Millisecond)
}

// awaitCycles waits until a schedule has started cycles and the last of them has ended.
func awaitCycles(t testing.TB, h client.ScheduleHandle, n int) {
	t.Helper()
	awaitSchedule(t, h, func(i client.ScheduleInfo) bool { return i.NumActions >= n && len(i.RunningWorkflows) == 0 })
}

// retries are the ways in which operators run a failed sync again once its cause is repaired. Each
// of them has to do without any other action. A cycle tries at once what was refused before anything
// was transferred for it.
var retries = []struct {
	name  string
	retry func(t sides, destination string)
	cycle bool
}{
	{"reset-to-beginning", resetTo(func(tasks []int64) int64 { return tasks[0] }), false},
	{"reset-after-download", resetTo(func(tasks []int64) int64 { return tasks[1] }), false},
	{"reset-after-decryption", resetTo(func(tasks []int64) int64 { return tasks[2] }), false},
	{"reset-after-failure", resetTo(func(tasks []int64) int64 { return tasks[3] }), false},
	{"reset-to-end", resetTo(func(tasks []int64) int64 { return tasks[4] }), false},
	{"started-again", startAgain, false},
	{"starter-retry", func(t sides, destination string) { starter(t, stack.Consumer, "retry", destination) }, false},
	{"starter-run", func(t sides, _ string) { _, _ = t.Starter(t.Context(), stack.Consumer, "run") }, true}, // others fail
	{"schedule-trigger", func(t sides, _ string) { starter(t, stack.Consumer, "schedule", "trigger") }, true},
	{"next-cycle", func(t sides, _ string) { starter(t, stack.Consumer, "schedule", "update", "--every", "1s") }, true},
}

func resetTo(choose func(tasks []int64) int64) func(sides, string) {
	return func(t sides, destination string) {
		r := lastRun(t, destination)
		require.NoError(t, r.reset(t, choose(r.tasks)).Get(t.Context(), nil))
	}
}

// startAgain is the UI's "Start Workflow Like This One".
func startAgain(t sides, destination string) {
	r := lastRun(t, destination)
	var input plan.Push
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(r.input, &input))
	again, err := t.Temporal.Clients[stack.Consumer].ExecuteWorkflow(t.Context(),
		client.StartWorkflowOptions{ID: r.WorkflowId, TaskQueue: contract.Consumer.TaskQueue}, "ConsumeProject", input)
	require.NoError(t, err)
	require.NoError(t, again.Get(t.Context(), nil))
}

func TestEveryRetryMendsTheSync(test *testing.T) {
	test.Parallel()
	t := begin(test)
	const (
		lost      = "mirror/retry/lost"
		eachATask = "LOCAL_ACTIVITY_MAX_SIZE=0" // so that there is one to reset to after each step
	)
	require.NoError(t, t.Workers[stack.Consumer].Stop())
	require.NoError(t, t.StartWorker(t.Context(), stack.Consumer, eachATask))
	pairs := [][2]string{{"retry/app@main", lost + "@main"}}
	protect(t, lost)
	for _, r := range retries {
		if !r.cycle {
			protect(t, "mirror/retry/"+r.name)
		}
		pairs = append(pairs, [2]string{"retry/app@main", "mirror/retry/" + r.name + "@main"})
	}
	configure(t, pairs...)
	sha := commit(t, "retry/app@main")
	cycle(t, stack.Producer)
	failingCycle(t, stack.Consumer)

	// The server waits for the worker that is gone, for half a minute, while the others are retried.
	t.Workers[stack.Consumer].Kill()
	require.NoError(t, t.StartWorker(t.Context(), stack.Consumer, eachATask))
	unprotect(t, lost)
	r := lastRun(t, lost+"@main")
	overLostHost := r.reset(t, r.tasks[2])

	failingCycle(t, stack.Consumer)
	awaitCycles(t, schedule(t, stack.Consumer, "24h"), 1)
	for _, r := range retries {
		t.run(r.name, func(t sides) {
			repo := "mirror/retry/" + r.name
			if r.cycle {
				create(t, t.Destination, repo)
			} else {
				unprotect(t, repo)
			}
			require.Empty(t, arrived(t, repo+"@main"))
			r.retry(t, repo+"@main")
			awaitHead(t, repo+"@main", sha)
		})
	}
	require.NoError(t, overLostHost.Get(t.Context(), nil))
	requireInSync(t, len(pairs))
}

// What is small has short steps, which have no tasks to reset to: each task that there is will do.
func TestResetsOfShortSteps(test *testing.T) {
	test.Parallel()
	t := begin(test)
	repos := []string{"mirror/short/beginning", "mirror/short/download", "mirror/short/failure", "mirror/short/lost"}
	pairs := [][2]string{}
	for _, repo := range repos {
		protect(t, repo)
		pairs = append(pairs, [2]string{"short/app@main", repo + "@main"})
	}
	configure(t, pairs...)
	sha := commit(t, "short/app@main")
	cycle(t, stack.Producer)
	failingCycle(t, stack.Consumer)
	for i, repo := range repos[:3] {
		unprotect(t, repo)
		r := lastRun(t, repo+"@main")
		require.Len(t, r.tasks, 3)
		require.NoError(t, r.reset(t, r.tasks[i]).Get(t.Context(), nil))
		awaitHead(t, repo+"@main", sha)
	}
	t.Workers[stack.Consumer].Kill() // and the files with it
	require.NoError(t, t.StartWorker(t.Context(), stack.Consumer))
	unprotect(t, repos[3])
	r := lastRun(t, repos[3]+"@main")
	require.NoError(t, r.reset(t, r.tasks[1]).Get(t.Context(), nil))
	awaitHead(t, repos[3]+"@main", sha)
	requireInSync(t, len(pairs))
}

func TestPauseLetsRunningWorkFinish(test *testing.T) {
	test.Parallel()
	t := begin(test)
	source, destination, first := upload(t, "paused")
	gate := closeGate(t, "mirror/paused/app")
	consumer := schedule(t, stack.Consumer, "1s")
	gate.await(t)
	starter(t, stack.Consumer, "schedule", "pause", "--note", "maintenance")
	gate.pass(t)
	awaitHead(t, destination, first)
	awaitCycles(t, consumer, 1)
	before, err := consumer.Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, "maintenance", before.Schedule.State.Note)

	second := commit(t, source)
	awaitCycles(t, schedule(t, stack.Producer, "1s"), 3) // the paused side would have had as many
	paused, err := consumer.Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, before.Info.NumActions, paused.Info.NumActions)
	require.Equal(t, first, arrived(t, destination))

	starter(t, stack.Consumer, "schedule", "unpause")
	awaitHead(t, destination, second)
}
