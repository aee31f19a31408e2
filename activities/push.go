package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// ErrTipDiffers says that a branch is not where the push has just put it.
var ErrTipDiffers = errors.New("the branch is not at the pushed commit")

// Pushed is what a destination branch has become.
type Pushed struct {
	Summary string `json:"summary"`
	Old     string `json:"old,omitempty"` // the tip before; empty when the branch is new
	Commit  string `json:"commit"`
	Size    int64  `json:"size"` // bytes of packs that were sent
	Warning string `json:"warning,omitempty"`
}

// Push sends the packs of the bundles to the destination, oldest first, and verifies the
// branch afterwards. The branch is a mirror: when someone else has moved it, it is moved back, and
// the result names the commit it was at. What an interrupted push has brought there already is
// not sent again.
func (c *Consumer) Push(ctx context.Context, decrypted Decrypted) (pushed Pushed, err error) {
	destination := decrypted.Destination
	run, err := c.Staging.Run(decrypted.Staged.Run)
	if err != nil {
		return pushed, err
	}
	for i := range decrypted.Bundles {
		if err := run.Discard(numbered(objectFile, i)); err != nil {
			return pushed, err
		}
	}
	tip, err := c.tip(ctx, destination)
	if err != nil {
		return pushed, err
	}
	pushed = Pushed{Old: tip, Commit: decrypted.Commit, Warning: c.warning()}
	if len(decrypted.Bundles) == 0 {
		pushed.Summary, pushed.Commit = "nothing to push", tip
		return pushed, nil
	}
	meter := startMeter(ctx, 0)
	defer meter.stop()
	p := push{consumer: c, run: run, destination: destination, bundles: decrypted.Bundles, meter: meter}
	if err := p.check(ctx, decrypted.AllowRollback); err != nil {
		return pushed, err
	}
	if err := p.from(ctx, tip); err != nil {
		return pushed, fmt.Errorf("destination %s: %w", destination, err)
	}
	if tip, err = c.tip(ctx, destination); err != nil {
		return pushed, err
	}
	if tip != decrypted.Commit {
		return pushed, fmt.Errorf("destination %s: %w: it is at %q instead of %s", destination, ErrTipDiffers, tip, decrypted.Commit)
	}
	pushed.Size = meter.done.Load()
	pushed.Summary = pushed.describe()
	return pushed, nil
}

// tip reads the destination's branch; "" means that it does not exist.
func (c *Consumer) tip(ctx context.Context, b project.Branch) (string, error) {
	heads, err := c.Destination.Heads(ctx, b.Path(), b.Branch)
	if err != nil {
		return "", fmt.Errorf("destination %s: %w", b, err)
	}
	return heads[b.Branch], nil
}

// reached is how many of the bundles lie behind a destination that is at tip.
func reached(bundles []Bundle, tip string) int {
	for i, b := range slices.Backward(bundles) {
		if b.Commit == tip {
			return i + 1
		}
	}
	return 0
}

// newest is when the manifest was made that decides what the branch becomes.
func newest(bundles []Bundle) time.Time { return bundles[len(bundles)-1].MadeAt }

func (p Pushed) describe() string {
	switch p.Old {
	case p.Commit:
		return "already at " + plan.Short(p.Commit)
	case "":
		return fmt.Sprintf("created at %s, %s", plan.Short(p.Commit), humanize.Bytes(uint64(p.Size)))
	default:
		return fmt.Sprintf("%s -> %s, %s", plan.Short(p.Old), plan.Short(p.Commit), humanize.Bytes(uint64(p.Size)))
	}
}

// explain tells refusals apart that the server words alike.
func (c *Consumer) explain(ctx context.Context, to project.Branch, tip string, b Bundle, err error) error {
	refused, ok := errors.AsType[*smarthttp.RefusedError](err)
	if !ok {
		return err
	}
	if now, tipErr := c.tip(ctx, to); tipErr == nil && now != tip {
		return fmt.Errorf("%w: %w", &smarthttp.MovedError{Ref: to.Ref(), Expected: tip, Tip: now}, err)
	}
	if b.Base != "" && refused.Incomplete() {
		return fmt.Errorf("%w: %w", ErrBaseMissing, err)
	}
	return err
}
