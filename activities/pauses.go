package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// ErrPausesUnknown says that it is not known which syncs are paused.
var ErrPausesUnknown = errors.New("which syncs are paused is not known")

// pausesTimeout bounds the wait for all of them.
const pausesTimeout = 20 * time.Second

// Workflows is the part of Temporal's client that lists workflows.
type Workflows interface {
	ListWorkflow(context.Context, *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
}

// Pauses tells which syncs of a side are paused. The zero value knows of none.
type Pauses struct {
	Temporal Workflows
	Role     contract.Role
	Clock    func() time.Time
}

// List returns the pauses of the side, sorted by their destinations, at most contract.MaxPauses. Of where there are more, and where
// Temporal does not say, it returns ErrPausesUnknown. A pause that has begun, or ended, shows after a moment, as Temporal's list of
// workflows is renewed in the background. One whose time is over is none any more, be there a worker to end it or not.
func (p Pauses) List(ctx context.Context) (pauses []fleet.Pause, err error) {
	if p.Temporal == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, pausesTimeout)
	defer cancel()
	request, listed := &workflowservice.ListWorkflowExecutionsRequest{Query: contract.PausesQuery}, 0
	newest := map[string]*workflow.WorkflowExecutionInfo{} // by ID: while one takes another's place, both may be listed
	for {
		answer, err := p.Temporal.ListWorkflow(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPausesUnknown, err)
		}
		if listed += len(answer.GetExecutions()); listed > contract.MaxPauses {
			return nil, fmt.Errorf("%w: there are more than %d", ErrPausesUnknown, contract.MaxPauses)
		}
		for _, run := range answer.GetExecutions() {
			id := run.GetExecution().GetWorkflowId()
			if other := newest[id]; other == nil || run.GetStartTime().AsTime().After(other.GetStartTime().AsTime()) {
				newest[id] = run
			}
		}
		if request.NextPageToken = answer.GetNextPageToken(); len(request.NextPageToken) == 0 {
			break
		}
	}
	for id, run := range newest {
		pause, ok := p.Role.ReadPause(id, run.GetMemo())
		if ok && (pause.Until.IsZero() || p.Clock().Before(pause.Until)) {
			pauses = append(pauses, pause)
		}
	}
	slices.SortFunc(pauses, func(a, b fleet.Pause) int { return strings.Compare(a.Destination, b.Destination) })
	return pauses, nil
}

// pausedBefore returns the pause of a destination for the first step of its run, which may have waited for long since a plan has
// looked; nil if it may go on.
func (c *Common) pausedBefore(ctx context.Context, destination project.Branch, heed bool) (*fleet.Pause, error) {
	if !heed {
		return nil, nil
	}
	pauses, err := c.Pauses.List(ctx)
	for _, pause := range pauses {
		if b, err := project.ParseBranch(pause.Destination); err == nil && b.Identity() == destination.Identity() {
			return &pause, nil
		}
	}
	return nil, err
}
