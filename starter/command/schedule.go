package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v3"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// jitterDivisor spreads the starts of many schedules on one server: the jitter is a tenth of the interval.
const jitterDivisor = 10

// catchupWindow is how long after an outage a missed start is made up for. One start is enough, because a cycle looks
// at the present.
const catchupWindow = time.Minute

func scheduleCommand() *cli.Command {
	note := &cli.StringFlag{Name: "note", Usage: "why, for whoever looks at the schedule", Value: "by the starter"}
	handle := func(name, usage, done string, do func(context.Context, roleClient, client.ScheduleHandle, *cli.Command) error, flags ...cli.Flag) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, Flags: flags, Action: withClient(func(ctx context.Context, c *cli.Command, s roleClient) error {
			err := do(ctx, s, s.ScheduleClient().GetHandle(ctx, s.ParentID), c)
			if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
				return fmt.Errorf("%s is not scheduled: make the schedule with schedule create", s.ParentID)
			}
			if err != nil {
				return fmt.Errorf("%s schedule %s: %w", name, s.ParentID, err)
			}
			if done != "" {
				fmt.Println(s.ParentID, done)
			}
			if slices.Contains([]string{"unpause", "trigger", "backfill"}, name) {
				s.warnWithoutWorker(ctx)
			}
			return nil
		})}
	}
	create := func(name, usage string) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, Flags: []cli.Flag{everyFlag()}, Action: withClient(createSchedule)}
	}
	return &cli.Command{
		Name:  "schedule",
		Usage: "create and steer the schedule that runs a cycle again and again",
		Commands: []*cli.Command{
			create("create", "create the schedule, or update the one that is there"),
			create("update", "the same as create"),
			handle("describe", "show the schedule, its last cycles and the next ones", "", describeSchedule),
			handle("pause", "start no more cycles; what is running finishes", "is paused; what is running finishes", func(ctx context.Context, _ roleClient, h client.ScheduleHandle, c *cli.Command) error {
				return h.Pause(ctx, client.SchedulePauseOptions{Note: c.String("note")})
			}, note),
			handle("unpause", "start cycles again", "is no longer paused", func(ctx context.Context, _ roleClient, h client.ScheduleHandle, c *cli.Command) error {
				return h.Unpause(ctx, client.ScheduleUnpauseOptions{Note: c.String("note")})
			}, note),
			handle("trigger", "run a cycle now, unless one is running", "is triggered: see the command describe", func(ctx context.Context, _ roleClient, h client.ScheduleHandle, _ *cli.Command) error {
				return h.Trigger(ctx, client.ScheduleTriggerOptions{Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP})
			}),
			handle("backfill", "run the cycles of a time in which none ran; each looks at the present", "is backfilled", backfill,
				&cli.TimestampFlag{Name: "start", Required: true, Config: cli.TimestampConfig{Layouts: []string{time.RFC3339}}},
				&cli.TimestampFlag{Name: "end", Required: true, Config: cli.TimestampConfig{Layouts: []string{time.RFC3339}}}),
			handle("delete", "delete the schedule; what is running finishes", "is no longer scheduled; what is running finishes", deleteSchedule),
		},
	}
}

func createSchedule(ctx context.Context, c *cli.Command, s roleClient) error {
	interval := c.Duration("every")
	spec := client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: interval}}, Jitter: interval / jitterDivisor}
	in := contract.RepeatedEvery(interval)
	in.SearchAttributes = s.hasSearchAttributes(ctx)
	action := &client.ScheduleWorkflowAction{ID: s.ParentID, TaskQueue: s.TaskQueue, Workflow: s.Parent, Args: []any{in}}
	_, err := s.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: s.ParentID, Spec: spec, Action: action, CatchupWindow: catchupWindow,
		Overlap:            enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		TriggerImmediately: true,
	})
	paused := ""
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		err = s.ScheduleClient().GetHandle(ctx, s.ParentID).Update(ctx, client.ScheduleUpdateOptions{
			DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
				in.Description.Schedule.Spec = &spec
				in.Description.Schedule.Action = action
				if state := in.Description.Schedule.State; state.Paused {
					paused = cmp.Or(state.Note, "without a note")
				}
				return &client.ScheduleUpdate{Schedule: &in.Description.Schedule}, nil
			},
		})
	}
	if err != nil {
		return fmt.Errorf("schedule %s: %w", s.ParentID, err)
	}
	fmt.Printf("%s is scheduled every %s\n", s.ParentID, interval)
	if paused != "" {
		s.console.note(fmt.Sprintf("it stays paused (%s): schedule unpause starts cycles again", paused))
	}
	if cron, err := (activities.Cycles{Temporal: s.Client, ID: s.ParentID}).CronRuns(ctx); err == nil && cron {
		s.console.note(fmt.Sprintf("the cron workflow %s runs, too, and with both every scan is made twice: cron stop ends it", s.ParentID))
	}
	if err := s.startPoll(ctx, in.SearchAttributes); err != nil {
		return err
	}
	s.warnWithoutWorker(ctx)
	return nil
}

func deleteSchedule(ctx context.Context, s roleClient, h client.ScheduleHandle, _ *cli.Command) error {
	if err := h.Delete(ctx); err != nil { // where a cron runs in its place, the poll is the cron's
		return err
	}
	return s.stopPoll(ctx)
}

func backfill(ctx context.Context, _ roleClient, h client.ScheduleHandle, c *cli.Command) error {
	if !c.Timestamp("end").After(c.Timestamp("start")) {
		return usagef("backfill: the end is not after the start")
	}
	return h.Backfill(ctx, client.ScheduleBackfillOptions{Backfill: []client.ScheduleBackfill{{
		Start: c.Timestamp("start"), End: c.Timestamp("end"), Overlap: enums.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE,
	}}})
}

func describeSchedule(ctx context.Context, s roleClient, h client.ScheduleHandle, _ *cli.Command) error {
	d, err := h.Describe(ctx)
	if err != nil {
		return err
	}
	state := "running"
	if d.Schedule.State.Paused {
		state = "paused: " + d.Schedule.State.Note
	}
	printForeign(os.Stdout, h.GetID()+",", state)
	for _, interval := range d.Schedule.Spec.Intervals {
		fmt.Printf("every %s, at most %s later\n", interval.Every, d.Schedule.Spec.Jitter)
	}
	for _, a := range d.Info.RecentActions {
		fmt.Printf("ran  %s  %s\n", exactly(a.ActualTime), a.StartWorkflowResult.WorkflowID)
	}
	for _, next := range d.Info.NextActionTimes[:min(3, len(d.Info.NextActionTimes))] {
		fmt.Printf("next %s\n", exactly(next))
	}
	return s.describePoll(ctx)
}

// exactly is a time as clocks show it here, and how long ago it was, or how long it will be.
func exactly(t time.Time) string {
	return fmt.Sprintf("%s (%s)", t.Local().Format(time.DateTime), humanize.Time(t))
}
