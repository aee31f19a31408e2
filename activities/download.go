package activities

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// Downloaded is what the destination needs, as objects on a worker's disk.
type Downloaded struct {
	Staged      Staged         `json:"staged"`
	Destination project.Branch `json:"destination"`
	Commit      string         `json:"commit"`
	Objects     []plan.Object  `json:"objects"` // oldest first; the file names are numbered
}

// Download fetches the objects that the destination lacks. The destination is asked
// first: there is no use in fetching what cannot be pushed.
func (c *Consumer) Download(ctx context.Context, push plan.Push) (downloaded Downloaded, err error) {
	if _, err := c.Destination.Heads(ctx, push.Destination.Path(), push.Destination.Branch); err != nil {
		return downloaded, fmt.Errorf("destination %s: %w", push.Destination, err)
	}
	downloaded = Downloaded{
		Staged:      stage(ctx, c.Host),
		Destination: push.Destination,
		Commit:      push.Commit,
		Objects:     push.Objects,
	}
	var total int64
	for _, o := range push.Objects {
		total += o.Size
	}
	if err := c.Staging.Require(2 * total); err != nil { // as objects, then as bundles
		return downloaded, err
	}
	run, err := c.Staging.Run(downloaded.Staged.Run)
	if err != nil {
		return downloaded, err
	}
	meter := startMeter(ctx, total)
	defer meter.stop()
	for i, o := range push.Objects {
		err := run.Create(numbered(objectFile, i), func(f *os.File) error {
			_, err := c.Bucket.Download(ctx, o.Key, meter.write(f))
			return err
		})
		if err != nil {
			return downloaded, errors.Join(err, run.Remove())
		}
	}
	return downloaded, nil
}
