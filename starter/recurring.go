package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// reconcileSleepTime is the pause between two cycles.
func reconcileSleepTime(value string) (time.Duration, error) {
	if value == "" {
		return 5 * time.Minute, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < time.Second {
		return 0, fmt.Errorf("RECONCILE_SLEEP_TIME is %q, not a duration of at least 1s such as 5m", value)
	}
	return d, nil
}

// cron starts the workflow that runs a cycle again and again. One that runs already is left
// as it is.
func (s side) cron(ctx context.Context, t client.Client, every time.Duration) error {
	_, err := t.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       s.id,
		TaskQueue:                                s.taskQueue,
		CronSchedule:                             "@every " + every.String(),
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, s.workflow, s.input(once{}))
	if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return fmt.Errorf("%s is running already: stop it with -stop to start it anew", s.id)
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", s.id, err)
	}
	fmt.Printf("%s runs every %s\n", s.id, every)
	return nil
}

// schedule creates the schedule, or brings an existing one to the same state.
func (s side) schedule(ctx context.Context, t client.Client, every time.Duration) error {
	spec := client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}}
	action := &client.ScheduleWorkflowAction{
		ID:        s.id,
		TaskQueue: s.taskQueue,
		Workflow:  s.workflow,
		Args:      []any{s.input(once{})},
	}
	_, err := t.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:                 s.id,
		Spec:               spec,
		Action:             action,
		Overlap:            enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		TriggerImmediately: true,
	})
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		err = t.ScheduleClient().GetHandle(ctx, s.id).Update(ctx, client.ScheduleUpdateOptions{
			DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
				in.Description.Schedule.Spec = &spec
				in.Description.Schedule.Action = action
				return &client.ScheduleUpdate{Schedule: &in.Description.Schedule}, nil
			},
		})
	}
	if err != nil {
		return fmt.Errorf("schedule %s: %w", s.id, err)
	}
	fmt.Printf("%s is scheduled every %s\n", s.id, every)
	return nil
}

// stop ends whatever starts cycles. Children that are at work finish.
func (s side) stop(ctx context.Context, t client.Client) error {
	var gone *serviceerror.NotFound
	err := t.ScheduleClient().GetHandle(ctx, s.id).Delete(ctx)
	if err != nil && !errors.As(err, &gone) {
		return fmt.Errorf("delete schedule %s: %w", s.id, err)
	}
	err = t.TerminateWorkflow(ctx, s.id, "", "stopped by the starter")
	if err != nil && !errors.As(err, &gone) {
		return fmt.Errorf("end workflow %s: %w", s.id, err)
	}
	fmt.Printf("%s is stopped; branches that are being synced are finished\n", s.id)
	return nil
}
