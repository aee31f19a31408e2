package workflows_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// events is a PushEvents in a test's environment, and what its batches did.
type events struct {
	*testsuite.TestWorkflowEnvironment
	mu       sync.Mutex
	batches  []contract.CycleInput
	ids      map[string]bool
	atOnce   map[string]int // batches that a destination is in now
	running  int
	schedule activities.Schedule
}

// newEvents has each batch end as it is told.
func newEvents(t *testing.T, end func(ctx workflow.Context, n int, in contract.CycleInput) (contract.Report, error)) *events {
	t.Helper()
	e := &events{TestWorkflowEnvironment: environment(t), ids: map[string]bool{}, atOnce: map[string]int{}, schedule: activities.Schedule{Runs: true, SearchAttributes: true}}
	e.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: contract.PushEventsID, TaskQueue: testQueue})
	e.OnActivity(anySide.ReadSchedule, mock.Anything).Return(func(context.Context) (activities.Schedule, error) { return e.schedule, nil }).Maybe()
	e.OnWorkflow(workflows.ProducerSync, mock.Anything, mock.Anything).Return(func(ctx workflow.Context, in contract.CycleInput) (contract.Report, error) {
		n := e.begin(t, workflow.GetInfo(ctx).WorkflowExecution.ID, in)
		defer e.end(in)
		return end(ctx, n, in)
	}).Maybe()
	return e
}

func (e *events) begin(t *testing.T, id string, in contract.CycleInput) (n int) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.batches = append(e.batches, in)
	e.ids[id] = true
	e.running++
	assert.LessOrEqual(t, e.running, 4)
	assert.LessOrEqual(t, len(in.Only), contract.MaxOnly)
	for _, name := range in.Only {
		e.atOnce[name]++
		assert.Equal(t, 1, e.atOnce[name], "no two batches have the same destination")
	}
	return len(e.batches)
}

func (e *events) end(in contract.CycleInput) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running--
	for _, name := range in.Only {
		e.atOnce[name]--
	}
}

func (e *events) signal(after time.Duration, destinations ...string) {
	e.RegisterDelayedCallback(func() { e.SignalWorkflow(contract.SignalPush, contract.Push{Destinations: destinations}) }, after)
}

func (e *events) run(t *testing.T, in contract.PushEventsInput) (report contract.PushEventsReport) {
	t.Helper()
	e.ExecuteWorkflow(workflows.PushEvents, in)
	require.True(t, e.IsWorkflowCompleted())
	require.NoError(t, e.GetWorkflowError())
	require.NoError(t, e.GetWorkflowResult(&report))
	return report
}

// taking has a batch take a while.
func taking(d time.Duration) func(workflow.Context, int, contract.CycleInput) (contract.Report, error) {
	return func(ctx workflow.Context, _ int, in contract.CycleInput) (contract.Report, error) {
		return contract.Report{Checked: len(in.Only)}, workflow.Sleep(ctx, d)
	}
}

func destinations(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("mirror/p%d@main", i))
	}
	return names
}
