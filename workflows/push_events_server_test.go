package workflows_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/turn"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// pushScript is a script of a producer whose cycles run, and whose plans wait to be let go.
type pushScript struct {
	*script
	plans, uploads atomic.Int32
	hold           chan struct{} // until it is closed, plans wait
}

func (s *pushScript) ReadSchedule(context.Context) (activities.Schedule, error) {
	return activities.Schedule{Runs: true}, nil
}

func (s *pushScript) Upload(ctx context.Context, w activities.UploadWork, in activities.UploadInput) (activities.Uploaded, error) {
	s.uploads.Add(1)
	return s.script.Upload(ctx, w, in)
}

func (s *pushScript) PlanUploads(_ context.Context, r activities.PlanRequest) (page plan.Page[plan.Upload], err error) {
	s.plans.Add(1)
	<-s.hold
	page.Checked, page.Reached = len(r.Only), turn.Position(1)
	for _, b := range r.Only {
		page.Moves = append(page.Moves, uploadOf(b.Name))
	}
	return page, nil
}

func signalPush(t *testing.T, c client.Client, destinations ...string) client.WorkflowRun {
	t.Helper()
	run, err := c.SignalWithStartWorkflow(t.Context(), contract.PushEventsID, contract.SignalPush, contract.Push{Destinations: destinations},
		client.StartWorkflowOptions{ID: contract.PushEventsID, TaskQueue: scriptQueue}, workflows.PushEvents, contract.PushEventsInput{})
	require.NoError(t, err)
	return run
}

// TestPushEventHistories has a burst of pushes on a real server, whose history is replayed at once. The first is one to which no
// history is long; to the other one every history is. With -record it keeps them for TestReplay.
func TestPushEventHistories(t *testing.T) {
	for name, settings := range map[string][]string{
		"push-events":       nil,
		"push-events-pages": {"--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=5"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &pushScript{script: newScript(), hold: make(chan struct{})}
			c := worked(t, s, workflows.RegisterProducer, settings...)
			first := signalPush(t, c, "group/ok@main")
			require.Eventually(t, func() bool { return s.plans.Load() == 1 }, 20*time.Second, 10*time.Millisecond)
			for range 19 {
				require.Equal(t, first.GetRunID(), signalPush(t, c, "group/ok@main", "group/fails@main").GetRunID())
			}
			close(s.hold)
			var report contract.PushEventsReport
			require.NoError(t, first.Get(t.Context(), &report))
			history := fetch(t, c, contract.PushEventsID, first.GetRunID())
			require.NoError(t, replay(history))
			require.EqualValues(t, 2, s.uploads.Load(), "one sync that ran, and one after it")
			require.LessOrEqual(t, report.Batches, 4, "and of the one that fails as many")
			require.LessOrEqual(t, report.Failed, 2)
			require.Positive(t, report.Failed)
			if *record {
				text, err := protojson.MarshalOptions{Indent: "  "}.Marshal(history)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(histories, name+".json"), text, 0o644))
			}
		})
	}
}

// Whoever cancels push events cancels the batches, and what is at work cleans up first.
func TestCancelledPushEventsCancelTheirBatches(t *testing.T) {
	t.Parallel()
	s := &pushScript{script: newScript(), hold: make(chan struct{})}
	c := worked(t, s, workflows.RegisterProducer)
	run := signalPush(t, c, "group/ok@main")
	require.Eventually(t, func() bool { return s.plans.Load() == 1 }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, c.CancelWorkflow(t.Context(), contract.PushEventsID, ""))
	time.AfterFunc(time.Second, func() { close(s.hold) }) // an activity without heartbeats does not hear of it
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, run.Get(t.Context(), nil), &cancelled)
	d, err := c.DescribeWorkflow(t.Context(), contract.BatchID(1), "")
	require.NoError(t, err)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_CANCELED, d.Status)
}
