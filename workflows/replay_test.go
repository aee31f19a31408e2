package workflows_test

import (
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// To record the histories anew: go test ./workflows -run 'TestHistories' -record
var record = flag.Bool("record", false, "write the histories that TestHistories makes to testdata/histories")

const histories = "testdata/histories"

// replay runs a history against today's code, under the ID that its workflow had.
func replay(history *historypb.History) error {
	r := worker.NewWorkflowReplayer()
	workflows.RegisterProducer(r)
	workflows.RegisterConsumer(r)
	return replayOn(r, history)
}

func replayOn(r worker.WorkflowReplayer, history *historypb.History) error {
	started := history.Events[0].GetWorkflowExecutionStartedEventAttributes()
	return r.ReplayWorkflowHistoryWithOptions(quiet, history, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: started.GetWorkflowId(), RunID: started.GetOriginalExecutionRunId()},
	})
}

var quiet = log.NewStructuredLogger(slog.New(slog.DiscardHandler))

// TestReplay runs recorded histories against today's code. Where it fails, workflows that are
// running when the code is deployed would get stuck.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(histories, "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			require.NoError(t, replay(recordedHistory(t, filepath.Base(file))))
		})
	}
}

func recordedHistory(t *testing.T, name string) *historypb.History {
	t.Helper()
	text, err := os.Open(filepath.Join(histories, name))
	require.NoError(t, err)
	defer text.Close()
	history, err := client.HistoryFromJSON(text, client.HistoryJSONOptions{})
	require.NoError(t, err)
	return history
}

// TestHistories runs each workflow through what happens to it on a real server, and replays
// its history at once. With -record it keeps the histories for TestReplay.
func TestHistories(t *testing.T) {
	c := scripted(t, newScript())
	page := contract.Limits{PageSize: 1}
	tests := map[string]struct {
		workflow any
		input    any
		status   enums.WorkflowExecutionStatus // of the first run
	}{
		"producer-sync":                   {workflows.ProducerSync, contract.CycleInput{}, failed},
		"producer-sync-dry-run":           {workflows.ProducerSync, contract.CycleInput{DryRun: true}, completed},
		"producer-sync-pages":             {workflows.ProducerSync, contract.CycleInput{Limits: page}, continuedAsNew},
		"consumer-sync":                   {workflows.ConsumerSync, contract.CycleInput{}, failed},
		"consumer-sync-dry-run":           {workflows.ConsumerSync, contract.CycleInput{DryRun: true}, completed},
		"consumer-sync-pages":             {workflows.ConsumerSync, contract.CycleInput{Limits: page}, continuedAsNew},
		"consumer-poll":                   {workflows.ConsumerPoll, contract.PollInput{}, continuedAsNew},
		"produce-project":                 {workflows.ProduceProject, uploadOf("ok"), completed},
		"produce-project-fails":           {workflows.ProduceProject, uploadOf("fails"), failed},
		"produce-project-retry":           {workflows.ProduceProject, uploadOf("retries"), completed},
		"produce-project-lost":            {workflows.ProduceProject, uploadOf("lost"), completed},
		"produce-project-lfs":             {workflows.ProduceProject, uploadOf("lfs"), completed},
		"consume-project":                 {workflows.ConsumeProject, pushOf("ok"), completed},
		"consume-project-fails":           {workflows.ConsumeProject, pushOf("fails"), failed},
		"consume-project-retry":           {workflows.ConsumeProject, pushOf("retries"), completed},
		"consume-project-lost":            {workflows.ConsumeProject, pushOf("lost"), completed},
		"consume-project-lfs":             {workflows.ConsumeProject, pushOf("lfs"), completed},
		"produce-project-small":           {workflows.ProduceProject, uploadOf("small"), completed},
		"produce-project-small-elsewhere": {workflows.ProduceProject, uploadOf("small-elsewhere"), completed},
		"consume-project-small":           {workflows.ConsumeProject, pushOf("small"), completed},
		"consume-project-small-elsewhere": {workflows.ConsumeProject, pushOf("small-elsewhere"), completed},
		"pause-sync":                      {workflows.PauseSync, pauseFor(time.Second), completed},
		"pause-sync-ended":                {workflows.PauseSync, pauseFor(time.Hour), completed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			id := name
			switch input := test.input.(type) {
			case plan.Upload:
				id = contract.Producer.ChildID(input.Sync.Destination)
			case plan.Push:
				id = contract.Consumer.ChildID(input.Destination)
			case fleet.Pause:
				id = contract.Consumer.PauseID(branchOf(t, input.Destination))
			}
			run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: scriptQueue}, test.workflow, test.input)
			require.NoError(t, err)
			first := run.GetRunID()
			if name == "pause-sync-ended" {
				require.NoError(t, c.CancelWorkflow(t.Context(), id, first))
			}
			_ = run.Get(t.Context(), nil) // its status is compared
			d, err := c.DescribeWorkflow(t.Context(), id, first)
			require.NoError(t, err)
			require.Equal(t, test.status.String(), d.Status.String())
			history := fetch(t, c, id, first)
			require.NoError(t, replay(history))
			for _, event := range history.Events {
				local := event.GetMarkerRecordedEventAttributes().GetMarkerName() == "LocalActivity"
				if local || event.EventType == enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED || event.EventType == enums.EVENT_TYPE_TIMER_STARTED {
					require.NotEmpty(t, event.GetUserMetadata().GetSummary(), "the UI says what each step is about, and each timer")
				}
			}
			keep(t, name, history)
		})
	}
}

// keep keeps a history for TestReplay, with -record.
func keep(t *testing.T, name string, history *historypb.History) {
	t.Helper()
	if *record {
		text, err := protojson.MarshalOptions{Indent: "  "}.Marshal(history)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(histories, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(histories, name+".json"), text, 0o644))
	}
}

// TestHistoriesOfACron does the same with cycles that a server repeats: the first has news of what fails, and tells it; the second
// has none, and completes.
func TestHistoriesOfACron(t *testing.T) {
	for name, cycle := range map[string]any{"producer-sync": workflows.ProducerSync, "consumer-sync": workflows.ConsumerSync} {
		t.Run(name, func(t *testing.T) {
			s := newScript()
			c := scripted(t, s)
			run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: name, TaskQueue: scriptQueue, CronSchedule: "@every 1s"}, cycle, contract.CycleInput{})
			require.NoError(t, err)
			id := run.GetRunID()
			for _, tt := range []struct {
				name   string
				status enums.WorkflowExecutionStatus
			}{{"news", failed}, {"no-news", completed}} {
				for events := c.GetWorkflowHistory(t.Context(), name, id, true, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); { // until it has ended
					_, err := events.Next()
					require.NoError(t, err)
				}
				d, err := c.DescribeWorkflow(t.Context(), name, id)
				require.NoError(t, err)
				require.Equal(t, tt.status.String(), d.Status.String(), tt.name)
				history := fetch(t, c, name, id)
				require.NoError(t, replay(history))
				keep(t, name+"-"+tt.name, history)
				end := history.Events[len(history.Events)-1]
				id = max(end.GetWorkflowExecutionFailedEventAttributes().GetNewExecutionRunId(), end.GetWorkflowExecutionCompletedEventAttributes().GetNewExecutionRunId())
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			require.Len(t, s.told, 1)
		})
	}
}

// scripted starts a server to which every history is long, and a worker that runs the script in place of activities.
func scripted(t *testing.T, s any) client.Client {
	t.Helper()
	return worked(t, s, func(r workflows.Registry) {
		workflows.RegisterProducer(r)
		workflows.RegisterConsumer(r)
	}, "--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=5")
}

// worked starts a server with settings, and a worker.
func worked(t *testing.T, activities any, register func(workflows.Registry), settings ...string) client.Client {
	t.Helper()
	server := devServer(t, settings...)
	c, err := client.Dial(client.Options{HostPort: server.FrontendHostPort(), Logger: quiet, Identity: "recorder"})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	for _, queue := range []string{contract.ScanQueue(scriptQueue), scriptQueue} {
		w := worker.New(c, queue, worker.Options{DeadlockDetectionTimeout: noDeadlock})
		register(w)
		w.RegisterActivity(activities)
		require.NoError(t, w.Start())
		t.Cleanup(w.Stop)
	}
	return c
}

func devServer(t *testing.T, settings ...string) *testsuite.DevServer {
	t.Helper()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	binaries, err := stack.FindServers(root)
	require.NoError(t, err)
	server, err := testsuite.StartDevServer(t.Context(), testsuite.DevServerOptions{
		ExistingPath: binaries.Temporal,
		ExtraArgs:    settings,
		Stdout:       io.Discard,
		Stderr:       t.Output(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	return server
}

func fetch(t *testing.T, c client.Client, id, run string) *historypb.History {
	t.Helper()
	events := c.GetWorkflowHistory(t.Context(), id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	history := &historypb.History{}
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		history.Events = append(history.Events, event)
	}
	return history
}

func uploadOf(name string) plan.Upload {
	u := plan.Upload{Reason: "nothing in the bucket yet: snapshot"}
	u.Sync.Source, u.Sync.Destination = branch(name), branch(name)
	return u
}

func pushOf(name string) plan.Push {
	return plan.Push{Destination: branch(name), Commit: name, Reason: "behind"}
}
