package activities

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// ErrBrokenChain says that a branch's objects do not lead back to anything that the destination
// has.
var ErrBrokenChain = errors.New("the bucket's chain is broken")

// maxReplans is how often a download follows a bucket that changes under it.
const maxReplans = 3

// Downloaded is what the destination needs, as objects on a worker's disk.
type Downloaded struct {
	Staged      Staged         `json:"staged"`
	Destination project.Branch `json:"destination"`
	Commit      string         `json:"commit"`
	Objects     []plan.Object  `json:"objects"` // oldest first; the file names are numbered
	// AllowRollback is what the operator said, of plan.Push.
	AllowRollback bool `json:"allow_rollback,omitempty"`
}

// Download fetches the objects that the destination lacks. When one of them is gone, a newer
// one has replaced it since the plan was made: then the branch is planned anew.
func (c *Consumer) Download(ctx context.Context, push plan.Push) (downloaded Downloaded, err error) {
	staged := stage(ctx, c.Host)
	run, err := c.Staging.Run(staged.Run)
	if err != nil {
		return downloaded, err
	}
	for replans := 0; ; replans++ {
		downloaded = Downloaded{Staged: staged, Destination: push.Destination, Commit: push.Commit, AllowRollback: push.AllowRollback}
		if downloaded.Objects, err = c.lacking(ctx, push); err != nil {
			return downloaded, err
		}
		err = c.fetch(ctx, run, downloaded.Objects)
		if err == nil {
			return downloaded, nil
		}
		err = errors.Join(err, run.Remove())
		if !errors.Is(err, bucket.ErrNotFound) || replans == maxReplans {
			return downloaded, err
		}
		if push, err = c.replan(ctx, push); err != nil {
			return downloaded, err
		}
	}
}

// lacking asks the destination what it has, and picks the end of the chain that it has not.
// A destination that cannot be pushed to fails here, before anything is fetched for it.
func (c *Consumer) lacking(ctx context.Context, push plan.Push) ([]plan.Object, error) {
	if !c.Allow.Allows(push.Destination) {
		return nil, fmt.Errorf("%w: %s", ErrNotAllowed, push.Destination.Path())
	}
	tip, err := c.tip(ctx, push.Destination)
	if err != nil || tip == push.Commit || len(push.Objects) == 0 {
		return nil, err
	}
	known := []string{tip}
	bases := plan.Bases(push.Objects)
	switch {
	case tip == "" || push.FromSnapshot:
		known = nil
	case len(bases) > 0 && !slices.Contains(bases, tip):
		if known, err = c.Destination.Known(ctx, push.Destination.Path(), tip, bases...); err != nil {
			return nil, fmt.Errorf("destination %s: %w", push.Destination, err)
		}
	}
	objects := plan.Lacking(push.Objects, known)
	if objects == nil {
		return nil, fmt.Errorf("destination %s: %w: it has no object for commit %s", push.Destination, ErrBrokenChain, push.Objects[0].Base)
	}
	return objects, nil
}

func (c *Consumer) fetch(ctx context.Context, run staging.Run, objects []plan.Object) error {
	total := sizeOf(objects)
	if err := c.Staging.Require(2 * total); err != nil { // as objects, then as bundles
		return err
	}
	meter := startMeter(ctx, total)
	defer meter.stop()
	for i, o := range objects {
		err := run.Create(numbered(objectFile, i), func(f *os.File) error {
			_, err := c.Bucket.Download(ctx, o.Key, meter.write(f))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func sizeOf(objects []plan.Object) (total int64) {
	for _, o := range objects {
		total += o.Size
	}
	return total
}

// replan reads what the bucket has for the branch now. It may have nothing any more: its sync
// has left the configuration, and there is nothing left to do.
func (c *Consumer) replan(ctx context.Context, push plan.Push) (plan.Push, error) {
	chains, _, err := listChains(ctx, c.Bucket)
	if err != nil {
		return push, err
	}
	push.Objects = nil
	if chain, ok := chains[push.Destination]; ok {
		push.Commit, push.Objects = chain.Tip(), plan.Objects(chain)
	}
	return push, nil
}
