package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// pauseIndex stands in for Temporal's list of pauses, and gives out one of them on each page.
type pauseIndex struct {
	runs []*workflow.WorkflowExecutionInfo
	err  error
}

func (i pauseIndex) ListWorkflow(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	if r.GetQuery() != contract.PausesQuery || i.err != nil {
		return nil, errors.Join(i.err, errors.New(r.GetQuery()))
	}
	at := len(r.GetNextPageToken())
	if at == len(i.runs) {
		return &workflowservice.ListWorkflowExecutionsResponse{}, nil
	}
	return &workflowservice.ListWorkflowExecutionsResponse{
		Executions: i.runs[at : at+1], NextPageToken: []byte(strings.Repeat("n", at+1)),
	}, nil
}

func pauseRun(t *testing.T, id string, began time.Time, memo map[string]any) *workflow.WorkflowExecutionInfo {
	t.Helper()
	fields := map[string]*common.Payload{}
	for key, value := range memo {
		payload, err := converter.GetDefaultDataConverter().ToPayload(value)
		require.NoError(t, err)
		fields[key] = payload
	}
	return &workflow.WorkflowExecutionInfo{
		Execution: &common.WorkflowExecution{WorkflowId: id}, StartTime: timestamppb.New(began), Memo: &common.Memo{Fields: fields},
	}
}

func TestPauses(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later := now.Add(time.Hour)
	pause := func(destination, reason string, until time.Time) map[string]any {
		return contract.PauseMemo(fleet.Pause{Destination: destination, Reason: reason, Until: until, By: "ann@host"})
	}
	index := pauseIndex{runs: []*workflow.WorkflowExecutionInfo{
		pauseRun(t, "pause/consume/mirror/web@main", now.Add(-time.Hour), pause("Mirror/Web@main", "the one before", later)),
		pauseRun(t, "pause/consume/mirror/web@main", now, pause("Mirror/Web@main", "moving\x1b[31m\nhouse", later)),
		pauseRun(t, "pause/consume/mirror/web@main", now.Add(-time.Minute), pause("mirror/web@main", "the one before", later)),
		pauseRun(t, "pause/consume/mirror/over@main", now, pause("mirror/over@main", "", now)),
		pauseRun(t, "pause/produce/mirror/other-side@main", now, pause("mirror/other-side@main", "", later)),
		pauseRun(t, "pause/consume/mirror/liar@main", now, pause("mirror/victim@main", "its ID counts", later)),
		pauseRun(t, "pause/consume/mirror/by-hand@f%C3%A9", now, nil),
		pauseRun(t, "pause/consume/no branch", now, nil),
		pauseRun(t, "pause/consume/mirror/%zz@main", now, nil),
		pauseRun(t, "pause/consume/Mirror/upper@main", now, nil),
		pauseRun(t, "mine", now, pause("mirror/mine@main", "", later)),
	}}
	p := Pauses{index, contract.Consumer, func() time.Time { return now }}
	found, err := p.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, []fleet.Pause{
		{Destination: "Mirror/Web@main", Reason: "moving house", By: "ann@host", Until: later},
		{Destination: "mirror/by-hand@fé"},
		{Destination: "mirror/liar@main", Reason: "its ID counts", By: "ann@host", Until: later},
	}, found)
}

// Who does not know that none is paused moves none.
func TestPausesThatAreNotKnown(t *testing.T) {
	t.Parallel()
	down := errors.New("unavailable")
	p := Pauses{pauseIndex{err: down}, contract.Consumer, time.Now}
	_, err := p.List(t.Context())
	require.ErrorIs(t, err, down)
	require.ErrorIs(t, err, ErrPausesUnknown)

	many := pauseIndex{}
	for i := range contract.MaxPauses + 1 {
		many.runs = append(many.runs, pauseRun(t, fmt.Sprintf("pause/consume/a/b@%d", i), time.Now(), nil))
	}
	p.Temporal = many
	_, err = p.List(t.Context())
	require.ErrorContains(t, err, "there are more than 2000")
	many.runs = many.runs[1:]
	p.Temporal = many
	found, err := p.List(t.Context())
	require.NoError(t, err)
	require.Len(t, found, contract.MaxPauses)

	found, err = Pauses{}.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, found, "without Temporal, nobody has paused any")
}
