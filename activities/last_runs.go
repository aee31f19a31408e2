package activities

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	// maxParallelQueries is how many workflows are asked for at a time.
	maxParallelQueries = 8
	// runQueryTimeout bounds the wait for one answer, allRunsTimeout the wait for all of them. Of a run that is still at work, there is no
	// answer: whoever expects some of these waits for less.
	runQueryTimeout = 5 * time.Second
	endQueryTimeout = 2 * time.Second
	allRunsTimeout  = time.Minute
)

// Executions is the part of Temporal's client that tells how runs ended.
type Executions interface {
	GetWorkflowHistory(ctx context.Context, id, run string, longPoll bool, filter enums.HistoryEventFilterType) client.HistoryEventIterator
}

// LastRuns tells how the last runs of branches ended. The zero value knows of none.
type LastRuns struct {
	Executions
	// ID is the ID of the workflow that moves a branch.
	ID func(project.Branch) string
}

// runEnd is how a branch's last run ended. The zero value is that of a branch that never had a run.
type runEnd struct {
	refusal plan.Refusal // zero unless it has failed, and says what it was planned on
	// failure is the kind of failure that it ended with, and reason what it said; empty if it has not failed.
	failure, reason string
	at              time.Time
	// uploaded is what a producer's run has put into the bucket, and pushed where a consumer's has put the destination.
	uploaded Uploaded
	pushed   string
	// unknown says that the run is still at work, or that Temporal did not tell.
	unknown bool
}

// ends returns how the last runs of branches ended. It waits for one answer no longer than the given time.
func (l LastRuns) ends(ctx context.Context, branches []project.Branch, patience time.Duration) map[project.Branch]runEnd {
	found := make(map[project.Branch]runEnd, len(branches))
	ctx, cancel := context.WithTimeout(ctx, allRunsTimeout)
	defer cancel()
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(maxParallelQueries)
	for _, b := range branches {
		group.Go(func() error {
			end := l.end(ctx, b, patience)
			mu.Lock()
			defer mu.Unlock()
			found[b] = end
			return nil
		})
	}
	_ = group.Wait() // none of them returns an error
	return found
}

// Ends tells how the last runs of branches ended, by the branches' identities. Those are left out whose runs are at work, or that
// Temporal does not tell of.
func (l LastRuns) Ends(ctx context.Context, branches []project.Branch) map[project.Branch]fleet.End {
	found := make(map[project.Branch]fleet.End, len(branches))
	for b, end := range l.ends(ctx, branches, endQueryTimeout) {
		if !end.unknown {
			found[b.Identity()] = fleet.End{At: end.at, Commit: cmp.Or(end.pushed, end.uploaded.ID.Commit), Kind: end.failure, Reason: end.reason}
		}
	}
	return found
}

// refusals returns how the last runs of branches failed. A branch whose last run cannot be read is tried as if it had not
// failed.
func (l LastRuns) refusals(ctx context.Context, branches []project.Branch) map[project.Branch]plan.Refusal {
	found := make(map[project.Branch]plan.Refusal, len(branches))
	if l.Executions == nil {
		return found
	}
	for b, end := range l.ends(ctx, branches, runQueryTimeout) {
		found[b] = end.refusal
	}
	return found
}

// end reads the last event of a branch's last run.
func (l LastRuns) end(ctx context.Context, b project.Branch, patience time.Duration) runEnd {
	if l.Executions == nil {
		return runEnd{unknown: true}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	id := l.ID(b)
	events := l.GetWorkflowHistory(ctx, id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	if !events.HasNext() {
		return runEnd{unknown: true}
	}
	event, err := events.Next()
	if _, never := errors.AsType[*serviceerror.NotFound](err); never {
		return runEnd{}
	}
	if err != nil {
		if activity.IsActivity(ctx) {
			activity.GetLogger(ctx).Warn("The end of the last run is not known", "workflow", id, "error", err)
		}
		return runEnd{unknown: true}
	}
	return endOf(id, event)
}

// endOf reads a run's last event.
func endOf(id string, event *history.HistoryEvent) runEnd {
	end := runEnd{at: event.GetEventTime().AsTime()}
	switch closed := event.GetAttributes().(type) {
	case *history.HistoryEvent_WorkflowExecutionCompletedEventAttributes:
		result := closed.WorkflowExecutionCompletedEventAttributes.GetResult()
		if err := converter.GetDefaultDataConverter().FromPayloads(result, &end.uploaded); err != nil {
			end.uploaded = Uploaded{} // of the other side, or of another version
		}
		var pushed Pushed
		if err := converter.GetDefaultDataConverter().FromPayloads(result, &pushed); err == nil {
			end.pushed = pushed.Commit
		}
	case *history.HistoryEvent_WorkflowExecutionFailedEventAttributes:
		end.failure = plan.KindChildFailed
		failure, ok := errors.AsType[*temporal.ApplicationError](
			temporal.GetDefaultFailureConverter().FailureToError(closed.WorkflowExecutionFailedEventAttributes.GetFailure()))
		if !ok {
			return end
		}
		end.reason = failure.Message()
		if isKind(failure.Type()) { // else it is another version's, or nobody has named it
			end.failure = failure.Type()
		}
		if failure.HasDetails() && failure.Details(&end.refusal.Attempt) == nil {
			end.refusal.Kind, end.refusal.Reason, end.refusal.Workflow, end.refusal.Ended = failure.Type(), failure.Message(), id, end.at
		} else {
			end.refusal = plan.Refusal{}
		}
	case *history.HistoryEvent_WorkflowExecutionTimedOutEventAttributes, *history.HistoryEvent_WorkflowExecutionTerminatedEventAttributes:
		end.failure = plan.KindChildFailed
	case *history.HistoryEvent_WorkflowExecutionCanceledEventAttributes:
	default: // it is not over
		end.unknown = true
	}
	return end
}
