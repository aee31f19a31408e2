package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	common "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// maxNote is how many characters are shown of an operator's note on a schedule.
const maxNote = 300

// Cycles finds how a side's cycles are scheduled.
type Cycles struct {
	Temporal Schedules
	// ID is that of the schedule, and of the cron workflow in its place.
	ID string
}

// Schedules is the part of Temporal's client that tells of schedules and of workflows that run.
type Schedules interface {
	ScheduleClient() client.ScheduleClient
	DescribeWorkflowExecution(ctx context.Context, id, run string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
}

// Schedule is how cycles run.
type Schedule struct {
	// Runs says that there is a schedule that is not paused, or a cron workflow. Else nobody wants cycles to run by themselves.
	Runs bool `json:"runs"`
	// SearchAttributes says that the schedule's cycles set search attributes.
	SearchAttributes bool `json:"search_attributes,omitempty"`
}

// ReadSchedule tells whether the side's cycles run by themselves now.
func (c *Common) ReadSchedule(ctx context.Context) (s Schedule, err error) {
	described, err := c.Cycles.Temporal.ScheduleClient().GetHandle(ctx, c.Cycles.ID).Describe(ctx)
	if isNotFound(err) {
		s.Runs, err = c.Cycles.CronRuns(ctx)
		return s, err
	}
	if err != nil {
		return s, fmt.Errorf("schedule %s: %w", c.Cycles.ID, err)
	}
	s.Runs = !described.Schedule.State.Paused
	s.SearchAttributes = setsSearchAttributes(described.Schedule.Action)
	return s, nil
}

// State tells how the side's cycles are meant to run by themselves.
func (c Cycles) State(ctx context.Context) (s fleet.Schedule, err error) {
	described, err := c.Temporal.ScheduleClient().GetHandle(ctx, c.ID).Describe(ctx)
	if isNotFound(err) {
		s.Exists, err = c.CronRuns(ctx)
		return s, err
	}
	if err != nil {
		return s, fmt.Errorf("schedule %s: %w", c.ID, err)
	}
	s.Exists, s.Paused, s.Changed = true, described.Schedule.State.Paused, described.Info.LastUpdateAt
	s.Every = time.Duration(shortestInterval(described)) * time.Second
	if s.Paused {
		s.Note = foreign.Line(described.Schedule.State.Note, maxNote)
	}
	return s, nil
}

// CronRuns tells whether the cron workflow is there: between two cycles it runs, too, and waits.
func (c Cycles) CronRuns(ctx context.Context) (bool, error) {
	described, err := c.Temporal.DescribeWorkflowExecution(ctx, c.ID, "")
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("workflow %s: %w", c.ID, err)
	}
	return described.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}

// setsSearchAttributes reads the input that a schedule's cycles get.
func setsSearchAttributes(action client.ScheduleAction) bool {
	start, ok := action.(*client.ScheduleWorkflowAction)
	if !ok || len(start.Args) == 0 {
		return false
	}
	payload, ok := start.Args[0].(*common.Payload)
	var input struct {
		SearchAttributes bool `json:"search_attributes"`
	}
	return ok && converter.GetDefaultDataConverter().FromPayload(payload, &input) == nil && input.SearchAttributes
}

// intervalSeconds is how often the schedule begins cycles, be it paused; 0 if there is none, or if it goes by no interval.
func (c Cycles) intervalSeconds(ctx context.Context) (seconds int) {
	if c.Temporal == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, endQueryTimeout)
	defer cancel()
	described, err := c.Temporal.ScheduleClient().GetHandle(ctx, c.ID).Describe(ctx)
	if err != nil {
		return 0
	}
	return shortestInterval(described)
}

// shortestInterval is in seconds; 0 if the schedule goes by none.
func shortestInterval(described *client.ScheduleDescription) (seconds int) {
	if described.Schedule.Spec == nil {
		return 0
	}
	for _, i := range described.Schedule.Spec.Intervals {
		if every := int(i.Every.Seconds()); seconds == 0 || every < seconds {
			seconds = every
		}
	}
	return seconds
}

func isNotFound(err error) bool {
	_, is := errors.AsType[*serviceerror.NotFound](err)
	return is
}
