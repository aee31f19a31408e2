package command

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// startOnce starts a cycle. If one of that name is running already, it takes that one, and says so: it may have been asked for
// something else. A rollback that one does not allow, so that it is no use to whoever asks for it.
func (s roleClient) startOnce(ctx context.Context, in contract.CycleInput) (client.WorkflowRun, error) {
	id := s.onceID(in)
	options := client.StartWorkflowOptions{
		ID: id, TaskQueue: s.TaskQueue,
		WorkflowIDConflictPolicy:                 enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}
	run, err := s.ExecuteWorkflow(ctx, options, s.Parent, in)
	running, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err)
	switch {
	case ok && len(in.AllowRollback) > 0:
		return nil, fmt.Errorf("%s is running already, without --allow-rollback, which was not used: say it again when that cycle has ended", id)
	case ok:
		s.console.note(fmt.Sprintf("%s is running already%s: waits for that one", id, s.startedAs(ctx, id, running.RunId)))
		return s.GetWorkflow(ctx, id, running.RunId), nil
	case err != nil:
		return nil, fmt.Errorf("start %s: %w", id, err)
	}
	return run, nil
}

// onceID is the ID of a cycle of one's own: the same for those that do the same.
func (s roleClient) onceID(in contract.CycleInput) string {
	id := s.ParentID + "-once"
	if in.DryRun {
		id = s.ParentID + "-plan"
	}
	if len(in.Only) > 0 {
		id += "/" + nameOf(in.Only)
	}
	if in.From != nil {
		id += fmt.Sprintf("/%d-%d", in.From.Order, in.From.After)
	}
	return id
}

// nameOf returns the same short name for the same destinations. It says only which runs are alike.
func nameOf(destinations []string) string {
	sum := sha256.Sum256([]byte(strings.Join(slices.Sorted(slices.Values(destinations)), "\n")))
	return hex.EncodeToString(sum[:8])
}

// startedAs says when a cycle was started, and for which rollbacks; "" if that cannot be read.
func (s roleClient) startedAs(ctx context.Context, id, run string) string {
	events := s.GetWorkflowHistory(ctx, id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !events.HasNext() {
		return ""
	}
	first, err := events.Next()
	if err != nil {
		return ""
	}
	said := ", since " + first.GetEventTime().AsTime().Local().Format(time.TimeOnly) + " (" + humanize.Time(first.GetEventTime().AsTime()) + ")"
	var in contract.CycleInput
	err = converter.GetDefaultDataConverter().FromPayloads(first.GetWorkflowExecutionStartedEventAttributes().GetInput(), &in)
	if err == nil && len(in.AllowRollback) > 0 {
		said += ", with --allow-rollback " + strings.Join(in.AllowRollback, " ")
	}
	return said
}
