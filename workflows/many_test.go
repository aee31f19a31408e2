package workflows_test

import (
	"context"
	"flag"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// many is both sides, of which all branches have to move, each with a chain of 8 objects. What they plan is as
// large as what a bucket of such names gives.
type many struct {
	*script
	branches int
	pages    atomic.Int32
}

func (m *many) PlanUploads(_ context.Context, r activities.PlanRequest) (plan.Page[plan.Upload], error) {
	return manyMoves(m, r, func(name string) plan.Upload {
		u := uploadOf(name)
		for _, o := range manyObjects(u.Sync.Destination) {
			u.Base, u.BaseKeys = o.Commit, append(u.BaseKeys, o.Key)
		}
		return u
	}), nil
}

func (m *many) PlanPushes(_ context.Context, r activities.PlanRequest) (plan.Page[plan.Push], error) {
	return manyMoves(m, r, func(name string) plan.Push {
		push := pushOf(name)
		push.Objects = manyObjects(push.Destination)
		return push
	}), nil
}

func manyMoves[M any](m *many, r activities.PlanRequest, move func(name string) M) plan.Page[M] {
	m.pages.Add(1)
	from := int(r.After)
	to := min(from+r.Size, m.branches)
	p := plan.Page[M]{Checked: to - from, Reached: turn.Position(to), Left: m.branches - to}
	for i := from; i < to; i++ {
		p.Moves = append(p.Moves, move(fmt.Sprintf("project-of-a-usual-name-%05d", i)))
	}
	return p
}

func manyObjects(destination project.Branch) (objects []object.Stored) {
	for n := range 8 {
		id := object.ID{Destination: destination, Commit: fmt.Sprintf("%040x", n+2), Base: fmt.Sprintf("%040x", n+1)}
		key, err := id.Key()
		if err != nil {
			panic(err)
		}
		objects = append(objects, object.Stored{ID: id, Key: key, Size: 1 << 20})
	}
	return objects
}

var scale = flag.Bool("scale", false, "run the tests that take minutes")

// A server takes branches that all move at once, in a cycle of several runs, and their children with all of their steps.
func TestManyBranchesAtOnce(t *testing.T) {
	m := &many{script: newScript(), branches: 120}
	c := worked(t, m, workflows.RegisterConsumer, "--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=150")
	runs := m.cycle(t, c, contract.Consumer, contract.Limits{MaxInFlight: 64, PageSize: 16})
	require.Greater(t, runs, 1)
	require.EqualValues(t, 8, m.pages.Load())
}

// A server takes 10,000 branches that move at once, each with a chain of 8 objects. Their children have a single step: it is the
// cycle that this is about.
func TestTenThousand(t *testing.T) {
	if !*scale {
		t.Skip("takes five minutes: make scale")
	}
	m := &many{script: newScript(), branches: 10_000}
	c := worked(t, m, func(r workflows.Registry) {
		r.RegisterWorkflow(workflows.ConsumerSync)
		r.(worker.Worker).RegisterWorkflowWithOptions(func(_ workflow.Context, p plan.Push) (activities.Pushed, error) {
			return activities.Pushed{Summary: "created at " + p.Commit}, nil
		}, workflow.RegisterOptions{Name: contract.Consumer.Child})
	})
	m.cycle(t, c, contract.Consumer, contract.Limits{MaxInFlight: 64})
}

// cycle runs one of either side, and checks that it is all done and no workflow task has failed. It returns the number of its runs.
func (m *many) cycle(t *testing.T, c client.Client, role contract.Role, limits contract.Limits) (runs int) {
	t.Helper()
	limits.WaitSeconds = 24 * 60 * 60
	began := time.Now()
	options := client.StartWorkflowOptions{ID: role.ParentID, TaskQueue: scriptQueue}
	run, err := c.ExecuteWorkflow(t.Context(), options, role.Parent, contract.CycleInput{Limits: limits})
	require.NoError(t, err)
	first := run.GetRunID()
	var r contract.Report
	require.NoError(t, run.Get(t.Context(), &r))
	require.Equal(t, m.branches, r.Checked)
	require.Equal(t, m.branches, len(r.Synced)+r.SyncedMore)
	require.Zero(t, r.Deferred+r.Unchecked+len(r.Running))

	took := time.Since(began)

	most, largest, children := 0, 0, 0
	for id := first; id != ""; runs++ {
		history := fetch(t, c, role.ParentID, id)
		most, id = max(most, len(history.Events)), ""
		for _, event := range history.Events {
			largest = max(largest, proto.Size(event))
			switch event.EventType {
			case enums.EVENT_TYPE_WORKFLOW_TASK_FAILED, enums.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
				t.Errorf("a workflow task: %s", event)
			case enums.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
				children++
			case enums.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
				id = event.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
			}
		}
	}
	require.Equal(t, m.branches, children)
	require.Less(t, most, 10_000, "events")
	t.Logf("%s: %d branches in %s: %d pages, %d runs of at most %d events, each of at most %s",
		role.Name, m.branches, took.Round(time.Second), m.pages.Load(), runs, most, humanize.Bytes(uint64(largest)))
	return runs
}
