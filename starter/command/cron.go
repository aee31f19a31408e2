package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func cronCommand() *cli.Command {
	return &cli.Command{
		Name:  "cron",
		Usage: "start and stop the cron workflow, for those whose tooling is built on it; else use a schedule",
		Commands: []*cli.Command{
			{Name: "start", Usage: "run a cycle again and again", Flags: []cli.Flag{everyFlag()}, Action: withClient(startCron)},
			{Name: "stop", Usage: "end the cron workflow; what is being synced is finished", Action: withClient(stopCron)},
		},
	}
}

func startCron(ctx context.Context, c *cli.Command, s roleClient) error {
	interval := c.Duration("every")
	in := contract.RepeatedEvery(interval)
	in.SearchAttributes = s.hasSearchAttributes(ctx)
	_, err := s.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       s.ParentID,
		TaskQueue:                                s.TaskQueue,
		CronSchedule:                             "@every " + interval.String(),
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, s.Parent, in)
	if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return fmt.Errorf("the cron workflow %s runs already: end it with cron stop to start it anew", s.ParentID)
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", s.ParentID, err)
	}
	fmt.Printf("%s runs every %s\n", s.ParentID, interval)
	s.warnBesideSchedule(ctx)
	if err := s.startPoll(ctx, in.SearchAttributes); err != nil {
		return err
	}
	s.warnWithoutWorker(ctx)
	return nil
}

// warnBesideSchedule says so if cycles begin by a schedule, too.
func (s roleClient) warnBesideSchedule(ctx context.Context) {
	described, err := s.ScheduleClient().GetHandle(ctx, s.ParentID).Describe(ctx)
	if err != nil {
		return // most often, there is none
	}
	paused := ""
	if described.Schedule.State.Paused {
		paused = ", though it is paused now"
	}
	s.console.note(fmt.Sprintf("there is a schedule %s, too%s, and with both every scan is made twice: schedule delete or cron stop ends one of them", s.ParentID, paused))
}

func stopCron(ctx context.Context, _ *cli.Command, s roleClient) error {
	err := s.TerminateWorkflow(ctx, s.ParentID, "", "stopped by the starter")
	if _, gone := errors.AsType[*serviceerror.NotFound](err); gone { // where there is a schedule in its place, the poll is the schedule's
		return fmt.Errorf("%s is not running", s.ParentID)
	}
	if err != nil {
		return fmt.Errorf("end workflow %s: %w", s.ParentID, err)
	}
	if err := s.stopPoll(ctx); err != nil {
		return err
	}
	fmt.Printf("%s is stopped; what is being synced is finished\n", s.ParentID)
	return nil
}
