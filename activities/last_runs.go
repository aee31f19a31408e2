package activities

import (
	"context"
	"errors"
	"sync"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	// maxParallelQueries is how many workflows are asked for at a time.
	maxParallelQueries = 8
	// runQueryTimeout bounds the wait for one answer, allRunsTimeout the wait for all of them.
	runQueryTimeout = 5 * time.Second
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

// refusals returns the branches whose last run was refused in a way that only a person can resolve. A branch whose
// last run cannot be read is tried as if it had not been refused.
func (l LastRuns) refusals(ctx context.Context, branches []project.Branch) map[project.Branch]plan.Refusal {
	found := make(map[project.Branch]plan.Refusal, len(branches))
	if l.Executions == nil {
		return found
	}
	ctx, cancel := context.WithTimeout(ctx, allRunsTimeout)
	defer cancel()
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(maxParallelQueries)
	for _, b := range branches {
		group.Go(func() error {
			refusal, err := l.refusal(ctx, l.ID(b))
			if err != nil {
				activity.GetLogger(ctx).Warn("The end of the last run is not known: the sync is tried", "workflow", l.ID(b), "error", err)
			}
			mu.Lock()
			defer mu.Unlock()
			found[b] = refusal
			return nil
		})
	}
	_ = group.Wait() // none of them returns an error
	return found
}

// refusal reads the last event of a workflow's last run. The zero value means that it was not refused.
func (l LastRuns) refusal(ctx context.Context, id string) (refusal plan.Refusal, err error) {
	ctx, cancel := context.WithTimeout(ctx, runQueryTimeout)
	defer cancel()
	events := l.GetWorkflowHistory(ctx, id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	if !events.HasNext() {
		return refusal, nil
	}
	event, err := events.Next()
	if err != nil {
		if _, never := errors.AsType[*serviceerror.NotFound](err); never {
			err = nil
		}
		return refusal, err
	}
	end := event.GetWorkflowExecutionFailedEventAttributes()
	if end == nil {
		return refusal, nil
	}
	failure, ok := errors.AsType[*temporal.ApplicationError](temporal.GetDefaultFailureConverter().FailureToError(end.GetFailure()))
	if !ok || !failure.HasDetails() || failure.Details(&refusal.Attempt) != nil {
		return plan.Refusal{}, nil
	}
	refusal.Kind, refusal.Reason, refusal.Workflow = failure.Type(), failure.Message(), id
	refusal.Ended = event.GetEventTime().AsTime()
	return refusal, nil
}
