package activities

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// lastEvent is what Temporal says of a workflow's last run: nothing, an event or an error.
type lastEvent struct {
	event *history.HistoryEvent
	err   error
	read  bool
}

func (e *lastEvent) HasNext() bool { return !e.read && (e.event != nil || e.err != nil) }

func (e *lastEvent) Next() (*history.HistoryEvent, error) {
	e.read = true
	return e.event, e.err
}

// runEnds are the ends of workflows' last runs, by their IDs.
type runEnds map[string]lastEvent

func (r runEnds) GetWorkflowHistory(_ context.Context, id, run string, longPoll bool, filter enums.HistoryEventFilterType) client.HistoryEventIterator {
	if run != "" || longPoll || filter != enums.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT {
		return &lastEvent{err: errors.New("asked for something else than the end of the last run")}
	}
	end := r[id]
	return &end
}

var runEnded = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func failedWith(err error) lastEvent {
	return lastEvent{event: &history.HistoryEvent{EventTime: timestamppb.New(runEnded), Attributes: &history.HistoryEvent_WorkflowExecutionFailedEventAttributes{
		WorkflowExecutionFailedEventAttributes: &history.WorkflowExecutionFailedEventAttributes{Failure: temporal.GetDefaultFailureConverter().ErrorToFailure(err)},
	}}}
}

// Only a run that was refused, and says on what evidence, keeps its branch from being tried again.
func TestLastRuns(t *testing.T) {
	t.Parallel()
	attempt := plan.Attempt{Evidence: "the same", Refused: 3, Since: runEnded.Add(-time.Hour)}
	refused := plan.Refusal{Attempt: attempt, Kind: "PushRejected", Reason: "the branch is protected", Workflow: "push-refused", Ended: runEnded}
	completed := &history.HistoryEvent{Attributes: &history.HistoryEvent_WorkflowExecutionCompletedEventAttributes{}}
	ends := runEnds{
		"push-refused":   failedWith(temporal.NewApplicationError(refused.Reason, refused.Kind, attempt)),
		"push-failed":    failedWith(temporal.NewApplicationError("connection reset", "Unavailable")),
		"push-other":     failedWith(temporal.NewApplicationError("of another version", refused.Kind, 17)),
		"push-cancelled": failedWith(temporal.NewCanceledError()),
		"push-completed": {event: completed},
		"push-never":     {err: serviceerror.NewNotFound("no such workflow")},
		"push-unknown":   {err: serviceerror.NewUnavailable("try again")},
		"push-running":   {},
	}
	names := []string{"refused", "failed", "other", "cancelled", "completed", "never", "unknown", "running"}
	branches, want := make([]project.Branch, 0, len(names)), map[project.Branch]plan.Refusal{}
	for _, name := range names {
		b := project.Branch{Group: "group", Name: name, Branch: "main"}
		branches, want[b] = append(branches, b), plan.Refusal{}
	}
	want[branches[0]] = refused
	runs := LastRuns{Executions: ends, ID: func(b project.Branch) string { return "push-" + b.Name }}
	got := map[project.Branch]plan.Refusal{}
	env := newActivities()
	ask := func(ctx context.Context) error {
		got = runs.refusals(ctx, branches)
		return nil
	}
	env.RegisterActivity(ask)
	_, err := env.ExecuteActivity(ask)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Empty(t, LastRuns{}.refusals(t.Context(), branches), "who knows of no runs has nobody wait")
}

// How a run has ended, and what it has uploaded, if it says so.
func TestEndsOfRuns(t *testing.T) {
	t.Parallel()
	uploaded := Uploaded{Summary: "snapshot", Key: "key", Size: 7, ETag: `"e"`, Modified: runEnded, CreatedAt: runEnded.Add(-time.Second), ManifestSHA256: "m", Keys: "k", BaseChain: "b"}
	of := func(e *history.HistoryEvent) lastEvent {
		e.EventTime = timestamppb.New(runEnded)
		return lastEvent{event: e}
	}
	done := completedWith(t, uploaded)
	done.event.EventTime = timestamppb.New(runEnded)
	for name, tt := range map[string]struct {
		last lastEvent
		want runEnd
	}{
		"completed":          {done, runEnd{at: runEnded, uploaded: uploaded}},
		"no result":          {of(&history.HistoryEvent{Attributes: &history.HistoryEvent_WorkflowExecutionCompletedEventAttributes{}}), runEnd{at: runEnded}},
		"failed":             {failedWith(temporal.NewApplicationError("no room", "DiskFull")), runEnd{at: runEnded, failure: "DiskFull", reason: "no room"}},
		"of another version": {failedWith(temporal.NewApplicationError("odd", "an.Other-Type")), runEnd{at: runEnded, failure: plan.KindChildFailed, reason: "odd"}},
		"timed out":          {of(&history.HistoryEvent{Attributes: &history.HistoryEvent_WorkflowExecutionTimedOutEventAttributes{}}), runEnd{at: runEnded, failure: plan.KindChildFailed}},
		"terminated":         {of(&history.HistoryEvent{Attributes: &history.HistoryEvent_WorkflowExecutionTerminatedEventAttributes{}}), runEnd{at: runEnded, failure: plan.KindChildFailed}},
		"cancelled":          {of(&history.HistoryEvent{Attributes: &history.HistoryEvent_WorkflowExecutionCanceledEventAttributes{}}), runEnd{at: runEnded}},
		"at work":            {of(&history.HistoryEvent{Attributes: &history.HistoryEvent_ActivityTaskStartedEventAttributes{}}), runEnd{at: runEnded, unknown: true}},
		"no event":           {lastEvent{}, runEnd{unknown: true}},
		"never":              {lastEvent{err: serviceerror.NewNotFound("no such workflow")}, runEnd{}},
		"no answer":          {lastEvent{err: serviceerror.NewUnavailable("try again")}, runEnd{unknown: true}},
	} {
		b := project.Branch{Group: "group", Name: "p", Branch: "main"}
		runs := LastRuns{Executions: runEnds{b.String(): tt.last}, ID: project.Branch.String}
		var got map[project.Branch]runEnd
		env := newActivities()
		ask := func(ctx context.Context) error {
			got = runs.ends(ctx, []project.Branch{b}, time.Second)
			return nil
		}
		env.RegisterActivity(ask)
		_, err := env.ExecuteActivity(ask)
		require.NoError(t, err)
		require.Equal(t, map[project.Branch]runEnd{b: tt.want}, got, name)
	}
	require.True(t, LastRuns{}.ends(t.Context(), []project.Branch{{}}, time.Second)[project.Branch{}].unknown, "who knows of no runs cannot tell")
}

// hangs answers when it is no longer asked.
type hangs struct{ asked chan time.Time }

func (h hangs) GetWorkflowHistory(ctx context.Context, _, _ string, _ bool, _ enums.HistoryEventFilterType) client.HistoryEventIterator {
	h.asked <- time.Now()
	<-ctx.Done()
	return &lastEvent{err: serviceerror.NewNotFound("too late")}
}

// A Temporal that does not answer holds up a plan for a minute at most, and is not asked for everything at once.
func TestLastRunsDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan time.Time, 1000)
		branches := make([]project.Branch, 1000)
		for i := range branches {
			branches[i].Name = string(rune('a' + i))
		}
		began := time.Now()
		found := LastRuns{Executions: hangs{asked}, ID: project.Branch.String}.refusals(t.Context(), branches)
		require.Len(t, found, 1000)
		require.Equal(t, allRunsTimeout, time.Since(began))
		close(asked)
		atOnce := 0
		for at := range asked {
			if at.Equal(began) {
				atOnce++
			}
		}
		require.Equal(t, maxParallelQueries, atOnce)
	})
}
