package command

import (
	"context"
	"fmt"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/app-sre/git-partition-sync/worker/service"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name: "check",
		Usage: "check the configuration of a worker, and show what its next cycle would do, without Temporal and without a worker; " +
			"the exit code tells whether every sync can work",
		Flags:  []cli.Flag{outputFlag()},
		Action: checkSide,
	}
}

// checkSide reads the worker's environment: it does the worker's part of a dry run.
func checkSide(ctx context.Context, c *cli.Command) error {
	role, err := contract.RoleOf(c.String("role"), os.Getenv("PUBLIC_KEY") != "", os.Getenv("PRIVATE_KEY") != "")
	if err != nil {
		return usagef("%w", err)
	}
	if role == contract.Producer {
		switch same, err := service.Unchanged(ctx, os.Environ()); {
		case err != nil:
			return err
		case same:
			return showNothingToCheck(c)
		}
	}
	report, err := service.Check(ctx, role, os.Environ(), os.Stderr)
	if err != nil {
		return err
	}
	return newConsole(c).showReport(report, c.String("output") == formatJSON)
}

func showNothingToCheck(c *cli.Command) error {
	const text = "nothing to check: the syncs, and the version that is deployed, are those of PREVIOUS_BUNDLE_SHA"
	if c.String("output") == formatJSON {
		return newConsole(c).showReport(contract.Report{Warning: text}, true)
	}
	_, err := fmt.Fprintln(c.Root().Writer, text)
	return err
}
