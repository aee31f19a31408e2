package activities

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dustin/go-humanize"

	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

var (
	// ErrTipDiffers says that a branch is not where the push has just put it.
	ErrTipDiffers = errors.New("the branch is not at the pushed commit")
	// ErrBaseMissing says that the destination could not complete an increment.
	ErrBaseMissing = errors.New("the destination lacks objects that the increment builds on")
	// ErrBundleDiffers says that a bundle does not carry what its manifest says.
	ErrBundleDiffers = errors.New("bundle and manifest disagree")
)

// Pushed is what a destination branch has become.
type Pushed struct {
	Summary string `json:"summary"`
	Old     string `json:"old,omitempty"` // the tip before; empty when the branch is new
	Commit  string `json:"commit"`
	Size    int64  `json:"size"` // bytes of packs that were sent
}

// Push sends the packs of the bundles to the destination, oldest first, and verifies the
// branch afterwards. The branch is a mirror: when someone else has moved it, it is moved back, and
// the result names the commit it was at. What an interrupted push has brought there already is not sent again.
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
	if len(decrypted.Bundles) == 0 {
		return Pushed{Summary: "nothing to push", Old: tip, Commit: tip}, nil
	}
	pushed = Pushed{Old: tip, Commit: decrypted.Commit}
	meter := startMeter(ctx, 0)
	defer meter.stop()
	for i := reached(decrypted.Bundles, tip); i < len(decrypted.Bundles); i++ {
		b := decrypted.Bundles[i]
		if err := c.pushBundle(ctx, run, i, destination, tip, b, meter); err != nil {
			return pushed, fmt.Errorf("destination %s: %w", destination, err)
		}
		tip = b.Commit
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

// reached is how many of the bundles lie behind a destination that is at tip.
func reached(bundles []Bundle, tip string) int {
	for i, b := range slices.Backward(bundles) {
		if b.Commit == tip {
			return i + 1
		}
	}
	return 0
}

// tip reads the destination's branch; "" means that it does not exist.
func (c *Consumer) tip(ctx context.Context, b project.Branch) (string, error) {
	heads, err := c.Destination.Heads(ctx, b.Path(), b.Branch)
	if err != nil {
		return "", fmt.Errorf("destination %s: %w", b, err)
	}
	return heads[b.Branch], nil
}

func (c *Consumer) pushBundle(ctx context.Context, run staging.Run, i int, to project.Branch, tip string, b Bundle, meter *meter) error {
	file, err := run.Open(numbered(bundleFile, i))
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	r := bufio.NewReader(file)
	header, size, err := bundle.ReadHeader(r)
	if err != nil {
		return err
	}
	if want := (bundle.Header{Branch: to.Branch, Commit: b.Commit, Base: b.Base}); header != want {
		return fmt.Errorf("%w: %+v instead of %+v", ErrBundleDiffers, header, want)
	}
	err = c.Destination.Push(ctx, smarthttp.PushRequest{
		Repo:     to.Path(),
		Branch:   to.Branch,
		Old:      tip,
		New:      b.Commit,
		Pack:     meter.read(r),
		PackSize: info.Size() - size,
		Thin:     b.Thin,
	})
	if refused, ok := errors.AsType[*smarthttp.RefusedError](err); ok {
		return c.explain(ctx, to, tip, b, refused, err)
	}
	return err
}

// explain tells refusals apart that the server words alike.
func (c *Consumer) explain(ctx context.Context, to project.Branch, tip string, b Bundle, refused *smarthttp.RefusedError, err error) error {
	if now, tipErr := c.tip(ctx, to); tipErr == nil && now != tip {
		return fmt.Errorf("%w: %w", &smarthttp.BranchMovedError{Branch: to.Branch, Expected: tip, Tip: now}, err)
	}
	if b.Base != "" && refused.Incomplete() {
		return fmt.Errorf("%w: %w", ErrBaseMissing, err)
	}
	return err
}

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
