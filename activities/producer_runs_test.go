package activities

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// completedWith is the end of a run that has uploaded something.
func completedWith(t testing.TB, uploaded Uploaded) lastEvent {
	t.Helper()
	result, err := converter.GetDefaultDataConverter().ToPayloads(uploaded)
	require.NoError(t, err)
	return lastEvent{event: &history.HistoryEvent{Attributes: &history.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
		WorkflowExecutionCompletedEventAttributes: &history.WorkflowExecutionCompletedEventAttributes{Result: result},
	}}}
}

// producerRuns are the ends of a producer's last runs. Several may end at a time.
type producerRuns struct {
	mu   sync.Mutex
	ends runEnds
}

func (p *producerRuns) GetWorkflowHistory(ctx context.Context, id, run string, longPoll bool, filter enums.HistoryEventFilterType) client.HistoryEventIterator {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ends.GetWorkflowHistory(ctx, id, run, longPoll, filter)
}

// ended notes how a producer's run has ended, as Temporal does.
func (r *rig) ended(destination project.Branch, uploaded Uploaded, err error) {
	end := failedWith(err)
	if err == nil {
		end = completedWith(r, uploaded)
	}
	end.event.EventTime = timestamppb.Now()
	r.runs.mu.Lock()
	defer r.runs.mu.Unlock()
	r.runs.ends[destination.String()] = end
}
