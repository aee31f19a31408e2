package performance_test

import (
	"maps"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// cycleFigures are what the histories of a cycle and of its children say.
type cycleFigures struct {
	Events      int `json:"events"`       // of the cycle's own history
	ChildEvents int `json:"child_events"` // of a child's, the median
	// Steps are the seconds that each activity took, the median of all children's and of the cycle's.
	Steps map[string]float64 `json:"step_seconds"`
	// Local are the steps that a child's workflow tasks had within them. No history says how long these took.
	Local []string `json:"local_steps,omitempty"`
	// Hops are how often a worker was waited for, by the cycle and by a child, and Waits how many seconds that took.
	Hops       int     `json:"hops"`
	Waits      float64 `json:"wait_seconds"`
	ChildHops  int     `json:"child_hops"`
	ChildWaits float64 `json:"child_wait_seconds"`
	// How many seconds after the beginning of the cycle half of the children and all had ended that its histories tell of. A huge one may
	// outlast the run that has started it.
	HalfDone float64 `json:"half_done_seconds"`
	AllDone  float64 `json:"all_done_seconds"`
	// SmallDone is when the last of the small ones had, beside a large one.
	SmallDone float64 `json:"small_done_seconds,omitempty"`
	// Children are when they ended, by ID.
	Children map[string]float64 `json:"-"`
}

// mostRead bounds how many children's histories are read.
const mostRead = 100

// timeline is what one history says.
type timeline struct {
	events    int
	steps     map[string][]float64
	hops      int
	waits     float64 // seconds
	begun     time.Time
	local     []string
	children  []*historypb.ChildWorkflowExecutionCompletedEventAttributes
	ends      []time.Time // of these
	next      string      // run that it continued as
	scheduled map[int64]time.Time
	started   map[int64]time.Time
	names     map[int64]string
}

// readCycle reads the histories of a cycle and of its children, of which there may be too many to read all.
func (w *world) readCycle(role stack.Role, cycle client.WorkflowRun) *cycleFigures {
	w.Helper()
	f := &cycleFigures{Steps: map[string]float64{}, Children: map[string]float64{}}
	steps := map[string][]float64{}
	var ends []float64
	var children []*historypb.ChildWorkflowExecutionCompletedEventAttributes
	var began time.Time
	for run := cycle.GetRunID(); run != ""; {
		t := w.readHistory(role, cycle.GetID(), run)
		if began.IsZero() {
			began = t.begun
		}
		f.Events, f.Hops, f.Waits = f.Events+t.events, f.Hops+t.hops, f.Waits+t.waits
		collect(steps, t.steps)
		for i, end := range t.ends {
			ends = append(ends, end.Sub(began).Seconds())
			f.Children[t.children[i].GetWorkflowExecution().GetWorkflowId()] = end.Sub(began).Seconds()
		}
		children = append(children, t.children...)
		run = t.next
	}
	var events, hops []int
	var waits []float64
	local := map[string]bool{}
	for i := 0; i < len(children); i += (len(children) + mostRead - 1) / mostRead {
		id := children[i].GetWorkflowExecution()
		t := w.readHistory(role, id.GetWorkflowId(), id.GetRunId())
		collect(steps, t.steps)
		for _, name := range t.local {
			local[name] = true
		}
		events, hops, waits = append(events, t.events), append(hops, t.hops), append(waits, t.waits)
	}
	f.ChildEvents, f.ChildHops, f.ChildWaits = median(events), median(hops), median(waits)
	for name, seconds := range steps {
		f.Steps[name] = median(seconds)
	}
	f.Local = slices.Sorted(maps.Keys(local))
	f.HalfDone = median(ends)
	for _, end := range ends {
		f.AllDone = max(f.AllDone, end)
	}
	return f
}

func collect(all, more map[string][]float64) {
	for name, seconds := range more {
		all[name] = append(all[name], seconds...)
	}
}

// readHistory reads one run's.
func (w *world) readHistory(role stack.Role, id, run string) *timeline {
	w.Helper()
	t := &timeline{steps: map[string][]float64{}, scheduled: map[int64]time.Time{}, started: map[int64]time.Time{}, names: map[int64]string{}}
	events := w.Temporal.Clients[role].GetWorkflowHistory(w.Context(), id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(w, err)
		t.add(event)
	}
	return t
}

func (t *timeline) add(event *historypb.HistoryEvent) {
	t.events++
	at := event.GetEventTime().AsTime()
	if t.begun.IsZero() {
		t.begun = at
	}
	switch event.GetEventType() {
	case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		t.scheduled[event.GetEventId()] = at
		t.names[event.GetEventId()] = event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()
	case enums.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
		t.scheduled[event.GetEventId()] = at
	case enums.EVENT_TYPE_WORKFLOW_TASK_STARTED:
		t.begin(event.GetWorkflowTaskStartedEventAttributes().GetScheduledEventId(), at)
	case enums.EVENT_TYPE_ACTIVITY_TASK_STARTED:
		scheduled := event.GetActivityTaskStartedEventAttributes().GetScheduledEventId()
		t.begin(scheduled, at)
		t.started[scheduled] = at
	case enums.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		scheduled := event.GetActivityTaskCompletedEventAttributes().GetScheduledEventId()
		name := t.names[scheduled]
		t.steps[name] = append(t.steps[name], at.Sub(t.started[scheduled]).Seconds())
	case enums.EVENT_TYPE_MARKER_RECORDED:
		var step struct{ ActivityType string }
		data := event.GetMarkerRecordedEventAttributes().GetDetails()["data"].GetPayloads()
		if len(data) == 1 && converter.GetDefaultDataConverter().FromPayload(data[0], &step) == nil && step.ActivityType != "" {
			t.local = append(t.local, step.ActivityType)
		}
	case enums.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
		t.children = append(t.children, event.GetChildWorkflowExecutionCompletedEventAttributes())
		t.ends = append(t.ends, at)
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		t.next = event.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
}

// begin counts a hop: something that was scheduled has begun.
func (t *timeline) begin(scheduled int64, at time.Time) {
	t.hops++
	t.waits += at.Sub(t.scheduled[scheduled]).Seconds()
}
