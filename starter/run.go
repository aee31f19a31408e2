package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/workflows"
)

// side is what the starter needs to know of a role.
type side struct {
	id        string
	taskQueue string
	workflow  any
	input     func(dryRun bool, limits workflows.Limits) any
}

var sides = map[string]side{
	"producer": {
		id:        workflows.ProducerSyncID,
		taskQueue: workflows.ProducerTaskQueue,
		workflow:  workflows.ProducerSync,
		input: func(dryRun bool, limits workflows.Limits) any {
			return workflows.ProducerSyncInput{DryRun: dryRun, Limits: limits}
		},
	},
	"consumer": {
		id:        workflows.ConsumerSyncID,
		taskQueue: workflows.ConsumerTaskQueue,
		workflow:  workflows.ConsumerSync,
		input: func(dryRun bool, limits workflows.Limits) any {
			return workflows.ConsumerSyncInput{DryRun: dryRun, Limits: limits}
		},
	},
}

func run(ctx context.Context, o options) error {
	side, ok := sides[o.role]
	if !ok {
		return fmt.Errorf("-role is %q, not producer or consumer", o.role)
	}
	every, err := reconcileSleepTime(os.Getenv("RECONCILE_SLEEP_TIME"))
	if err != nil {
		return err
	}
	t, err := dial(ctx)
	if err != nil {
		return err
	}
	defer t.Close()
	switch {
	case o.stop:
		return side.stop(ctx, t)
	case o.dryRun || o.runOnce:
		return side.once(ctx, t, o.dryRun)
	case o.schedule:
		return side.schedule(ctx, t, every)
	default:
		return side.cron(ctx, t, every)
	}
}

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

// once runs a single cycle and prints its report. A second one that is asked for meanwhile
// waits for the first; one that a cron or schedule runs does not hinder it, as the branches' children
// lock out each other.
func (s side) once(ctx context.Context, t client.Client, dryRun bool) error {
	id, limits := s.id+"-once", workflows.Limits{WaitSeconds: int((24 * time.Hour).Seconds())}
	if dryRun {
		id = s.id + "-plan"
	}
	run, err := t.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                s.taskQueue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, s.workflow, s.input(dryRun, limits))
	if err != nil {
		return fmt.Errorf("start %s: %w", id, err)
	}
	var report workflows.Report
	err = run.Get(ctx, &report)
	var failed *temporal.ApplicationError
	if errors.As(err, &failed) && failed.Type() == workflows.KindSyncsFailed {
		if err := failed.Details(&report); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	printReport(report)
	if n := len(report.Failed); n > 0 {
		return fmt.Errorf("%d failed", n)
	}
	return nil
}

func printReport(r workflows.Report) {
	for _, line := range r.Planned {
		fmt.Println("would", line)
	}
	for _, line := range r.Synced {
		fmt.Println("synced", line)
	}
	for _, id := range r.Running {
		fmt.Println("still running", id)
	}
	for _, key := range r.Pruned {
		fmt.Println("deleted", key)
	}
	if r.Warning != "" {
		fmt.Println("warning:", r.Warning)
	}
	for _, f := range r.Failed {
		fmt.Println("failed", strings.ReplaceAll(f.String(), "\n", "\n       "))
	}
	fmt.Println(r)
}

// cron starts the workflow that runs a cycle again and again. One that runs already is left
// as it is.
func (s side) cron(ctx context.Context, t client.Client, every time.Duration) error {
	_, err := t.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       s.id,
		TaskQueue:                                s.taskQueue,
		CronSchedule:                             "@every " + every.String(),
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, s.workflow, s.input(false, workflows.Limits{}))
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
		Args:      []any{s.input(false, workflows.Limits{})},
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
