package activities

import (
	"context"
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/lfs"
)

// PushedLFS is what has become of the LFS objects that a push's bundles need.
type PushedLFS struct {
	MovedLFS // missing is what neither the source nor the destination has
	// LeftOut were not sent, as LFS=false wants it.
	LeftOut int `json:"left_out,omitempty"`
	// Note is what else the step has done, for the summary of the push.
	Note string `json:"note,omitempty"`
}

// PushLFS sends the LFS objects that the bundles need and the destination lacks, ahead of the bundles: at no time does the
// destination have a commit and not its files. It sends nothing for a push that Push is going to refuse, as far as that is
// known before a pack is sent. What an interrupted run has sent is not sent again.
func (c *Consumer) PushLFS(ctx context.Context, work PushWork, in PushInput) (pushed PushedLFS, err error) {
	branch := work.Plan.Destination
	run, err := c.Staging.Run(work.Staged.Run)
	if err != nil {
		return pushed, err
	}
	if err := discardObjects(run, in.Bundles); err != nil {
		return pushed, err
	}
	needed, err := stagedLFSLists(run, in.Bundles)
	if err != nil {
		return pushed, err
	}
	defer func() {
		pushed.countIn(ctx)
		countLFS(ctx, lfsLeftOut, pushed.LeftOut)
	}()
	if c.LFS == nil {
		pushed.LeftOut = len(needed)
		return pushed, nil
	}
	if !c.Allow.Allows(branch) {
		return pushed, fmt.Errorf("%w: %s", ErrNotAllowed, branch.Path())
	}
	meter := startMeter(ctx, 0)
	defer meter.stop()
	ctx = meter.withSignsOfLife(ctx)
	p := c.newPush(work, in, run, meter)
	if err = c.readInto(ctx, p, work); err == nil {
		err = c.pushLFS(ctx, p, needed, &pushed)
	}
	if err != nil {
		err = fmt.Errorf("destination %s: %w", branch, err)
	}
	return pushed, err
}

// pushLFS refuses what Push refuses before it sends a pack, creates the project if there is none, and sends what it lacks.
func (c *Consumer) pushLFS(ctx context.Context, p *push, needed lfs.List, pushed *PushedLFS) error {
	if err := c.checkClock(p.manifestTime()); err != nil {
		return err
	}
	if err := p.check(ctx); err != nil {
		return err
	}
	if p.missing {
		if err := p.createProject(ctx); err != nil {
			return err
		}
		pushed.Note = p.groups.describe()
	}
	delivery, err := c.newLFSDelivery(p, pushed, lfsInFlight)
	if err != nil {
		return err
	}
	return delivery.deliver(ctx, needed)
}
