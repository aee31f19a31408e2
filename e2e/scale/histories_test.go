package scale_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// What Temporal's servers allow by default: https://docs.temporal.io/self-hosted-guide/defaults.
const (
	maxEvents  = 51_200
	maxHistory = 50 << 20 // bytes
	maxPayload = 2 << 20
)

// Histories are those of all workflows of a cycle, by workflow type.
type Histories struct {
	Workflows map[string]workflows `json:"workflows"`
	// Payload is the largest that Temporal was given at once, and PayloadOf of which event.
	Payload   int    `json:"largest_payload"`
	PayloadOf string `json:"largest_payload_of"`
	// Late counts the workflow tasks that were not done within their time.
	Late int `json:"late_workflow_tasks"`
}

type workflows struct {
	Runs   int    `json:"runs"`
	Events spread `json:"events"`
	Bytes  spread `json:"bytes"`
}

func (h Histories) String() string {
	return listed(h.Workflows, func(w workflows) string {
		return fmt.Sprintf("%d runs of %s events, %s bytes", w.Runs, w.Events, w.Bytes)
	}) + fmt.Sprintf("; payload of at most %s (%s); %d late workflow tasks", humanize.Bytes(uint64(h.Payload)), h.PayloadOf, h.Late)
}

// requireSmall wants all to be below a tenth of what Temporal allows.
func (h Histories) requireSmall(t testing.TB) {
	t.Helper()
	for name, w := range h.Workflows {
		require.Less(t, w.Events.Max, maxEvents/10, "events of a %s", name)
		require.Less(t, w.Bytes.Max, maxHistory/10, "bytes of a %s", name)
	}
	require.Less(t, h.Payload, maxPayload/10, "%s", h.PayloadOf)
}

// execution is a run of a workflow, with the times at which workers were at work on it.
type execution struct {
	info *workflow.WorkflowExecutionInfo
	work []span
}

// maxRead bounds how many histories of one type of workflow are read whole.
const maxRead = 400

// runsSince waits until the runs that were started since a time are over and as many as wanted, and reads their histories: all
// of the cycles', and of so many children a part. No workflow task may have failed in them.
func runsSince(t testing.TB, c client.Client, since time.Time, wanted int) (h Histories, runs []execution) {
	t.Helper()
	h.Workflows = map[string]workflows{}
	byType := map[string][]*workflow.WorkflowExecutionInfo{}
	for _, info := range ended(t, c, since, wanted) {
		byType[info.GetType().GetName()] = append(byType[info.GetType().GetName()], info)
	}
	for _, name := range slices.Sorted(maps.Keys(byType)) {
		infos := byType[name]
		var events, bytes []int
		for i, info := range infos {
			events, bytes = append(events, int(info.GetHistoryLength())), append(bytes, int(info.GetHistorySizeBytes()))
			if each := (len(infos) + maxRead - 1) / maxRead; i%each == 0 {
				runs = append(runs, execution{info, h.read(t, c, info)})
			}
		}
		h.Workflows[name] = workflows{len(infos), spreadOf(events), spreadOf(bytes)}
	}
	return h, runs
}

// ended lists the workflows that were started since a time, when none of them runs any more, and there are as many as wanted:
// Temporal's list is renewed in the background.
func ended(t testing.TB, c client.Client, since time.Time, wanted int) (infos []*workflow.WorkflowExecutionInfo) {
	t.Helper()
	require.Eventually(t, func() bool {
		infos = list(t, c, since)
		runs := func(i *workflow.WorkflowExecutionInfo) bool {
			return i.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING
		}
		return len(infos) >= wanted && !slices.ContainsFunc(infos, runs)
	}, time.Minute, 100*time.Millisecond, "%d workflows that have ended", wanted)
	return infos
}

// list lists the workflows that were started since a time.
func list(t testing.TB, c client.Client, since time.Time) (infos []*workflow.WorkflowExecutionInfo) {
	query := fmt.Sprintf("StartTime >= '%s'", since.UTC().Format(time.RFC3339Nano))
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: 1000}
	for {
		page, err := c.ListWorkflow(t.Context(), request)
		if err != nil {
			return nil
		}
		infos = append(infos, page.GetExecutions()...)
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return infos
		}
	}
}

// read reads one history.
func (h *Histories) read(t testing.TB, c client.Client, info *workflow.WorkflowExecutionInfo) (work []span) {
	t.Helper()
	id := info.GetExecution()
	events := c.GetWorkflowHistory(t.Context(), id.GetWorkflowId(), id.GetRunId(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	started := map[int64]*historypb.HistoryEvent{}
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		switch event.EventType {
		case enums.EVENT_TYPE_WORKFLOW_TASK_FAILED:
			t.Errorf("%s: a workflow task: %s", id.GetWorkflowId(), event)
		case enums.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: // on a machine that is too busy
			h.Late++
		case enums.EVENT_TYPE_ACTIVITY_TASK_STARTED:
			started[event.EventId] = event
		}
		if begun, ends := endsActivity(event); ends && started[begun] != nil {
			begin := started[begun]
			work = append(work, span{subjectOf(info), begin.GetActivityTaskStartedEventAttributes().GetIdentity(), begin.EventTime.AsTime(), event.EventTime.AsTime()})
		}
		if size := payloadOf(t, event); size > h.Payload {
			h.Payload, h.PayloadOf = size, strings.TrimPrefix(event.EventType.String(), "EVENT_TYPE_")+" of "+info.GetType().GetName()
		}
	}
	return work
}

// subjectOf is what a run works on, whatever its ID is: the destination that its parent has written into its memo, or itself.
func subjectOf(info *workflow.WorkflowExecutionInfo) (destination string) {
	destination = info.GetExecution().GetWorkflowId()
	if memo, ok := info.GetMemo().GetFields()["destination"]; ok {
		_ = converter.GetDefaultDataConverter().FromPayload(memo, &destination) // else it stays the ID
	}
	return destination
}

// endsActivity tells the events with which an activity ends, and which event its beginning was.
func endsActivity(event *historypb.HistoryEvent) (started int64, ends bool) {
	switch event.EventType {
	case enums.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		return event.GetActivityTaskCompletedEventAttributes().GetStartedEventId(), true
	case enums.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		return event.GetActivityTaskFailedEventAttributes().GetStartedEventId(), true
	case enums.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		return event.GetActivityTaskTimedOutEventAttributes().GetStartedEventId(), true
	}
	return 0, false
}

// payloadOf is the size of all the inputs, results, details and memos that an event has.
func payloadOf(t testing.TB, event *historypb.HistoryEvent) (size int) {
	t.Helper()
	require.NoError(t, proxy.VisitPayloads(context.Background(), event, proxy.VisitPayloadsOptions{
		Visitor: func(_ *proxy.VisitPayloadsContext, payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
			for _, p := range payloads {
				size += proto.Size(p)
			}
			return payloads, nil
		},
	}))
	return size
}

var errTogether = errors.New("at work at the same time")

// onceAtATime fails if something was worked on twice at the same time.
func onceAtATime(spans []span) error {
	byWhat := map[string][]span{}
	for _, s := range spans {
		byWhat[s.what] = append(byWhat[s.what], s)
	}
	for what, of := range byWhat {
		slices.SortFunc(of, func(a, b span) int { return a.begin.Compare(b.begin) })
		for i := 1; i < len(of); i++ {
			if before := of[i-1]; of[i].begin.Before(before.end) {
				return fmt.Errorf("%s: %s and %s were %w: until %s and from %s on", what, before.by, of[i].by, errTogether,
					before.end.Format(time.RFC3339Nano), of[i].begin.Format(time.RFC3339Nano))
			}
		}
	}
	return nil
}

func TestOnceAtATime(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	require.NoError(t, onceAtATime([]span{{"a", "1", at(2), at(3)}, {"a", "2", at(0), at(2)}, {"b", "2", at(0), at(9)}}))
	require.ErrorIs(t, onceAtATime([]span{{"a", "1", at(2), at(4)}, {"b", "1", at(5), at(6)}, {"a", "2", at(3), at(5)}}), errTogether)
	require.ErrorIs(t, onceAtATime([]span{{"a", "1", at(0), at(9)}, {"a", "2", at(3), at(5)}}), errTogether)
}
