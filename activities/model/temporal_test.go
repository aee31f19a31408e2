package model

import (
	"context"
	"errors"
	"sync"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdk "go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// listed are the syncs that are configured.
type listed []project.Sync

func (l listed) Syncs(context.Context) ([]project.Sync, error) { return l, nil }

// temporal is what the producer's Temporal knows: which runs are at work on both sides, and how the producer's last ones ended.
type temporal struct {
	mu      sync.Mutex
	running map[project.Branch]bool // by destination; the consumer's are at "@consumer"
	ends    map[string]lastEvent    // by destination
}

// start tells whether a run may start: there is one of each name at a time.
func (t *temporal) start(destination project.Branch, consumer bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := runID(destination, consumer)
	if t.running[id] {
		return false
	}
	t.running[id] = true
	if !consumer {
		delete(t.ends, destination.String())
	}
	return true
}

func runID(destination project.Branch, consumer bool) project.Branch {
	if consumer {
		destination.Group += "@consumer"
	}
	return destination
}

// over notes how a run of the producer has ended.
func (t *temporal) over(destination project.Branch, uploaded activities.Uploaded, failure error) {
	end := lastEvent{event: &history.HistoryEvent{EventTime: timestamppb.New(time.Now())}}
	if failure != nil {
		end.event.Attributes = &history.HistoryEvent_WorkflowExecutionFailedEventAttributes{
			WorkflowExecutionFailedEventAttributes: &history.WorkflowExecutionFailedEventAttributes{Failure: sdk.GetDefaultFailureConverter().ErrorToFailure(failure)},
		}
	} else {
		result, err := converter.GetDefaultDataConverter().ToPayloads(uploaded)
		if err != nil {
			panic(err) // it came from such a payload
		}
		end.event.Attributes = &history.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
			WorkflowExecutionCompletedEventAttributes: &history.WorkflowExecutionCompletedEventAttributes{Result: result},
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ends[destination.String()] = end
	delete(t.running, runID(destination, false))
}

// stopped notes that a run of the consumer is over.
func (t *temporal) stopped(destination project.Branch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, runID(destination, true))
}

// GetWorkflowHistory implements activities.Executions.
func (t *temporal) GetWorkflowHistory(_ context.Context, id, _ string, _ bool, _ enums.HistoryEventFilterType) client.HistoryEventIterator {
	t.mu.Lock()
	defer t.mu.Unlock()
	if end, ok := t.ends[id]; ok {
		return &end
	}
	for b := range t.running {
		if b.String() == id {
			return &lastEvent{} // it is at work
		}
	}
	return &lastEvent{err: serviceerror.NewNotFound("no such workflow")}
}

// lastEvent iterates over the last event of a run, if it is over.
type lastEvent struct {
	event *history.HistoryEvent
	err   error
}

func (e *lastEvent) HasNext() bool { return e.event != nil || e.err != nil }

func (e *lastEvent) Next() (*history.HistoryEvent, error) { return e.event, e.err }

// kindOf is the name that the worker's interceptor has given a failure; empty if it has none.
func kindOf(err error) string {
	if failure, ok := errors.AsType[*sdk.ApplicationError](err); ok {
		return failure.Type()
	}
	return ""
}

func mayBeRetried(err error) bool {
	failure, ok := errors.AsType[*sdk.ApplicationError](err)
	return !ok || !failure.NonRetryable()
}
