package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v3"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func pauseCommand() *cli.Command {
	return &cli.Command{
		Name: "pause",
		Usage: "leave one sync of this side alone for a while: cycles neither move it nor fail because of it; " +
			"again, it changes until when and why",
		ArgsUsage: "DESTINATION (group/name@branch)", ArgValidator: refuseOtherThanOne, ShellComplete: completeDestinations,
		Flags: []cli.Flag{
			outputFlag(),
			&cli.DurationFlag{Name: "for", Usage: "how long; it then ends by itself", Value: 4 * time.Hour, Validator: validPause},
			&cli.StringFlag{Name: "reason", Usage: "what others should know", Validator: validReason},
			&cli.BoolFlag{Name: "force", Usage: "do not look first whether this side has such a sync"},
		},
		Action: withClient(func(ctx context.Context, c *cli.Command, s roleClient) error {
			pause := fleet.Pause{
				Destination: c.Args().First(), Reason: c.String("reason"), By: whoAmI(),
				Until: time.Now().Add(c.Duration("for")).UTC().Truncate(time.Second),
			}
			if !c.Bool("force") {
				if err := s.requireKnown(ctx, pause.Destination); err != nil {
					return err
				}
			}
			return s.pause(ctx, pause, c.String("output") == formatJSON)
		}),
	}
}

func validPause(d time.Duration) error {
	if d < contract.MinPause || d > contract.MaxPause {
		return fmt.Errorf("%s is not from 1m to 720h (30 days)", d)
	}
	return nil
}

func validReason(reason string) error {
	if len([]rune(reason)) > contract.MaxPauseWords {
		return fmt.Errorf("more than %d characters", contract.MaxPauseWords)
	}
	return nil
}

// refuseOtherThanOne refuses anything but one destination.
func refuseOtherThanOne(ctx context.Context, c *cli.Command) error {
	if c.Args().Len() != 1 {
		return usagef("name one destination (group/name@branch) %s", seeHelp(c))
	}
	return refuseWrongNames(ctx, c)
}

// whoAmI is who runs the starter, as far as the machine tells.
func whoAmI() string {
	name := "somebody"
	if me, err := user.Current(); err == nil {
		name = me.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// pause starts the workflow that is the pause, in the place of one that runs. No worker is needed for that.
func (s roleClient) pause(ctx context.Context, pause fleet.Pause, asJSON bool) error {
	destination, err := project.ParseBranch(pause.Destination)
	if err != nil {
		return usagef("%w", err)
	}
	_, err = s.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: s.PauseID(destination), TaskQueue: s.TaskQueue, Memo: contract.PauseMemo(pause),
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
		StaticSummary:            foreign.Cut(foreign.Markdown(pause.Destination+" "+pauseWords(pause, time.Time{})), maxSummary),
	}, contract.Pause, pause)
	if err != nil {
		return fmt.Errorf("pause %s: %w", pause.Destination, err)
	}
	err = s.awaitPauses(ctx, func(now fleet.Pause) bool { return now.Until.Equal(pause.Until) }, destination)
	if err != nil {
		return fmt.Errorf("%s is paused, and cycles may not see it yet: %w", pause.Destination, err)
	}
	if asJSON {
		if err := json.NewEncoder(s.console.out).Encode(pause); err != nil {
			return err
		}
	} else {
		printForeign(s.console.out, "paused", fmt.Sprintf("%s %s\nit ends by itself, %s, or with: starter unpause '%s'",
			pause.Destination, pauseWords(pause, time.Now()), humanize.Time(pause.Until), pause.Destination))
	}
	s.noteAtWork(ctx, destination)
	s.warnWithoutWorker(ctx)
	return nil
}

// maxSummary is the largest size of a summary in bytes that servers accept by default.
const maxSummary = 400

// noteAtWork says what a pause does not stop.
func (s roleClient) noteAtWork(ctx context.Context, destination project.Branch) {
	id := s.ChildID(destination)
	described, err := s.DescribeWorkflowExecution(ctx, id, "")
	if err == nil && described.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		s.console.note(fmt.Sprintf("%s is at work, which the pause does not stop: to end it, temporal workflow cancel --workflow-id %q", id, id))
	}
}

// pausesShown bounds the wait for Temporal to list what has been started or ended.
const pausesShown = 30 * time.Second

var errNotListed = errors.New("the list of workflows in Temporal, by which they go, is behind: see the health of its visibility store")

// awaitPauses waits until the pause of a destination is as wanted, as plans see it. It gives a zero pause if there is none.
func (s roleClient) awaitPauses(ctx context.Context, wanted func(fleet.Pause) bool, destination project.Branch) error {
	ctx, cancel := context.WithTimeoutCause(ctx, pausesShown, errNotListed)
	defer cancel()
	for tick := time.NewTicker(200 * time.Millisecond); ; {
		pause, err := s.pauseOf(ctx, destination)
		if err == nil && wanted(pause) {
			tick.Stop()
			return nil
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
