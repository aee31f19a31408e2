package command

import (
	"cmp"
	"context"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/worker/service"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func objectsCommand() *cli.Command {
	return &cli.Command{
		Name:  "objects",
		Usage: "list what the bucket has, by destination: chains with their sizes and ages, LFS objects of each project, and what else is there",
		Description: `Nothing is written, and neither Temporal nor a worker is needed, but the worker's environment, as for the
command check. A NAME is a destination (group/name@branch) or a project (group/name); * stands for anything.
With -o json it prints one array, an object of the bucket in each line, as they come.`,
		ArgsUsage: "[NAME...]",
		Flags:     []cli.Flag{outputFlag()},
		Action:    listObjects,
	}
}

// listObjects reads the bucket with the worker's environment: Temporal would have to keep all of it.
func listObjects(ctx context.Context, c *cli.Command) error {
	role, err := contract.RoleOf(c.String("role"), os.Getenv("PUBLIC_KEY") != "", os.Getenv("PRIVATE_KEY") != "")
	if err != nil {
		return usagef("%w", err)
	}
	if limit := c.Duration("timeout"); limit > 0 {
		limited, cancel := context.WithTimeoutCause(ctx, limit, errTimeIsUp)
		defer cancel()
		ctx = limited
	}
	console := newConsole(c)
	store, err := service.OpenBucket(ctx, role, os.Environ(), console.err)
	if err != nil { // of the environment
		return usagef("%w", err)
	}
	listing := &bucketListing{wanted: newNamePatterns(c.Args().Slice())}
	show := showObjectTable
	if c.String("output") == formatJSON {
		show = showObjectJSON
	}
	return show(console.out, listing, func(yield func(bucket.ObjectInfo, error) bool) {
		for o, err := range store.List(ctx, "") {
			if err != nil {
				err = cmp.Or(stopped(ctx, err, "the listing is not complete"), service.Explain(err, os.Environ()))
			}
			if !yield(o, err) {
				return
			}
		}
	})
}
