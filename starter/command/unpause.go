package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/project"
)

func unpauseCommand() *cli.Command {
	return &cli.Command{
		Name: "unpause", Usage: "end the pause of one sync of this side: the next cycle looks at it again",
		ArgsUsage: "DESTINATION (group/name@branch)", ArgValidator: refuseOtherThanOne, ShellComplete: completeDestinations,
		Action: withClient(func(ctx context.Context, c *cli.Command, s roleClient) error {
			return s.unpause(ctx, c.Args().First())
		}),
	}
}

// unpauseTimeout is how long a worker has to end the pause as it ends by itself. Where none is there, the server ends it.
const unpauseTimeout = 3 * time.Second

func (s roleClient) unpause(ctx context.Context, name string) error {
	destination, err := project.ParseBranch(name)
	if err != nil {
		return usagef("%w", err)
	}
	id := s.PauseID(destination)
	described, err := s.DescribeWorkflowExecution(ctx, id, "")
	_, never := errors.AsType[*serviceerror.NotFound](err)
	switch {
	case never || err == nil && described.GetWorkflowExecutionInfo().GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return fmt.Errorf("%s is not paused on this side (%s)", name, s.Name)
	case err != nil:
		return fmt.Errorf("look for the pause of %s: %w", name, err)
	}
	if err := s.endPause(ctx, id, described.GetWorkflowExecutionInfo().GetExecution().GetRunId()); err != nil {
		return fmt.Errorf("unpause %s: %w", name, err)
	}
	if err := s.awaitPauses(ctx, func(now fleet.Pause) bool { return now == fleet.Pause{} }, destination); err != nil {
		return fmt.Errorf("%s is unpaused, and cycles may not see it yet: %w", name, err)
	}
	printForeign(s.console.out, "unpaused", fmt.Sprintf("%s\nthe next cycle looks at it; at once: starter run '%s'", name, name)) // quoted: shells expand the "*" of a set
	return nil
}

func (s roleClient) endPause(ctx context.Context, id, run string) error {
	err := s.CancelWorkflow(ctx, id, run)
	if err == nil {
		ending, cancel := context.WithTimeout(ctx, unpauseTimeout)
		defer cancel()
		if s.GetWorkflow(ctx, id, run).Get(ending, nil) == nil {
			return nil
		}
		err = s.TerminateWorkflow(ctx, id, run, "unpaused by "+whoAmI())
	}
	if _, over := errors.AsType[*serviceerror.NotFound](err); over { // by itself, meanwhile
		return nil
	}
	return err
}

// pauseOf returns the pause of a destination as plans see it; zero if there is none.
func (s roleClient) pauseOf(ctx context.Context, destination project.Branch) (fleet.Pause, error) {
	pauses, err := activities.Pauses{Temporal: s.Client, Role: s.Role, Clock: time.Now}.List(ctx)
	for _, pause := range pauses {
		if b, parseErr := project.ParseBranch(pause.Destination); parseErr == nil && b.Identity() == destination.Identity() {
			return pause, nil
		}
	}
	return fleet.Pause{}, err
}
