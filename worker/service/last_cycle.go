package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// maxReported is more than any cycle reports of failures, and of lags. Whoever may write to Temporal could have written more.
const maxReported = 1_000

// maxCyclesBack is how many of the last cycles are read to find one that could plan.
const maxCyclesBack = 10

// lastCycles reads what the last complete cycles of a side tell. A cycle is read once.
type lastCycles struct {
	contract.Role
	temporal client.Client
	read     map[string]closedCycle // by run ID, of those that were listed last
}

// closedCycle is a cycle that has ended with a result or a failure.
type closedCycle struct {
	began, ended time.Time
	// looked is when the last cycle began that has looked at all syncs, as far as this one knows; zero if it knows of none.
	looked  time.Time
	report  contract.Report
	failure *plan.Failure // what it failed with, if it has no report
}

// LastCycle returns what the last complete cycle of a side tells; the zero value if there was none that is remembered.
func LastCycle(ctx context.Context, role contract.Role, temporal client.Client) (fleet.Cycle, error) {
	return (&lastCycles{Role: role, temporal: temporal}).last(ctx)
}

// last returns what the last complete cycle tells; the zero value if there was none.
func (l *lastCycles) last(ctx context.Context) (c fleet.Cycle, err error) {
	listed, err := l.list(ctx)
	if err != nil {
		return c, err
	}
	read := make(map[string]closedCycle, len(listed))
	defer func() { l.read = read }()
	for _, execution := range listed {
		run := execution.GetExecution().GetRunId()
		cycle, known := l.read[run]
		if !known {
			if cycle, err = l.readCycle(ctx, execution); err != nil {
				return c, err
			}
		}
		read[run] = cycle
		if c.Ended.IsZero() {
			c.Began, c.Ended = cycle.began, cycle.ended
			cycle.addFailures(&c)
		}
		if !cycle.looked.IsZero() {
			cycle.addLags(&c)
			break
		}
	}
	return c, nil
}

// list lists complete cycles, the last one first: not those of some syncs only, whose IDs have a slash, nor plans.
func (l *lastCycles) list(ctx context.Context) ([]*workflow.WorkflowExecutionInfo, error) {
	query := fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus IN ('Completed', 'Failed') AND WorkflowId STARTS_WITH '%s' AND WorkflowId NOT STARTS_WITH '%s' AND WorkflowId NOT STARTS_WITH '%s'",
		l.Parent, l.ParentID, l.ParentID+"-plan", l.ParentID+"-once/")
	answer, err := l.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: maxCyclesBack})
	if err != nil {
		return nil, fmt.Errorf("list cycles: %w", err)
	}
	var cycles []*workflow.WorkflowExecutionInfo
	for _, execution := range answer.GetExecutions() {
		if id := execution.GetExecution().GetWorkflowId(); !strings.Contains(id, "/") {
			cycles = append(cycles, execution)
		}
	}
	return cycles, nil
}

// readCycle reads the last event of a cycle.
func (l *lastCycles) readCycle(ctx context.Context, execution *workflow.WorkflowExecutionInfo) (c closedCycle, err error) {
	c.began, c.ended = execution.GetStartTime().AsTime(), execution.GetCloseTime().AsTime()
	id, run := execution.GetExecution().GetWorkflowId(), execution.GetExecution().GetRunId()
	events := l.temporal.GetWorkflowHistory(ctx, id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	if !events.HasNext() {
		return c, fmt.Errorf("cycle %s: it has no last event", id)
	}
	event, err := events.Next()
	if err != nil {
		return c, fmt.Errorf("cycle %s: %w", id, err)
	}
	c.readEnd(event)
	if !c.report.Began.IsZero() {
		c.began = c.report.Began
	}
	return c, nil
}

// readEnd takes in the last event. What it cannot read is as if the cycle had no report.
func (c *closedCycle) readEnd(event *history.HistoryEvent) {
	kind, reason := plan.KindChildFailed, "the cycle's report cannot be read"
	var read bool
	if completed := event.GetWorkflowExecutionCompletedEventAttributes(); completed != nil {
		read = converter.GetDefaultDataConverter().FromPayloads(completed.GetResult(), &c.report) == nil
	} else if err := temporal.GetDefaultFailureConverter().FailureToError(event.GetWorkflowExecutionFailedEventAttributes().GetFailure()); err != nil {
		kind, reason = contract.FailureOf(err)
		if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok && failed.HasDetails() {
			read = failed.Details(&c.report) == nil && kind == plan.KindSyncsFailed
		}
	}
	c.report.Failed = c.report.Failed[:min(len(c.report.Failed), maxReported)]
	c.report.Lags.List = c.report.Lags.List[:min(len(c.report.Lags.List), maxReported)]
	if !read { // of what it remembers, there may be something all the same
		c.failure = &plan.Failure{Subject: plan.SubjectPlan, Kind: kind, Reason: reason}
	}
	if c.looked = c.report.Lags.LookedAt; c.looked.IsZero() && read && c.report.Began.IsZero() {
		c.looked = c.began // by workers of before there were lags
	}
}

// addFailures adds what the cycle has failed with.
func (c closedCycle) addFailures(to *fleet.Cycle) {
	failed := c.report.Failed
	if c.failure != nil {
		failed = append([]plan.Failure{*c.failure}, failed...)
	}
	for _, f := range failed {
		to.Failed = append(to.Failed, fleet.Reported{Subject: f.Subject, Kind: f.Kind, Reason: f.Reason})
	}
}

// addLags adds what the cycle knows of all syncs.
func (c closedCycle) addLags(to *fleet.Cycle) {
	to.Looked, to.Catalog, to.Lags, to.Bucket, to.Paused = c.looked, c.report.Catalog.CreatedAt, c.report.Lags, c.report.Bucket, c.report.Paused
	to.CatalogSequence = c.report.Catalog.Sequence
	to.Lags.List = slices.Clone(to.Lags.List) // the cycle is read once
	to.InSync = c.report.UpToDate + len(c.report.Synced) + c.report.SyncedMore
	reported, lags := map[string]bool{}, map[string]bool{}
	for _, f := range to.Failed {
		reported[f.Subject] = true
	}
	for _, lag := range to.Lags.List {
		lags[lag.Destination] = true
		if lag.Kind != "" && !reported[lag.Destination] { // by a cycle before, or there was no room
			to.Failed = append(to.Failed, fleet.Reported{Subject: lag.Destination, Kind: lag.Kind, Reason: activities.WithRemedy(lag.Kind, "")})
		}
	}
	for _, f := range c.report.Failed {
		if !lags[f.Subject] { // by workers of before there were lags
			lags[f.Subject] = true
			to.Lags.List = append(to.Lags.List, fleet.Lag{Destination: f.Subject, Kind: f.Kind, Failing: c.began})
		}
	}
}
