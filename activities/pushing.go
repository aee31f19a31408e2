package activities

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

var (
	// ErrBaseMissing says that the destination could not complete an increment.
	ErrBaseMissing = errors.New("the destination lacks objects that the increment builds on")
	// ErrBundleDiffers says that a bundle does not carry what its manifest says.
	ErrBundleDiffers = errors.New("bundle and manifest disagree")
	// ErrNotFastForward says that the destination has commits that the source has not, and the
	// policy is not to overwrite them.
	ErrNotFastForward = errors.New("not a fast-forward")
	// ErrNotAllowed says that the consumer is not to touch the project.
	ErrNotAllowed = errors.New("destination is not in ALLOWED_DESTINATIONS")
)

// push is one run of the step of that name.
type push struct {
	consumer    *Consumer
	run         staging.Run
	destination project.Branch
	bundles     []Bundle
	meter       *meter
	memory      memory
}

// check refuses what must not be pushed.
func (p *push) check(ctx context.Context, allowRollback bool) (err error) {
	if !p.consumer.Allow.Allows(p.destination) {
		return fmt.Errorf("%w: %s", ErrNotAllowed, p.destination.Path())
	}
	if p.memory, err = p.consumer.recall(ctx, p.destination); err != nil || allowRollback {
		return err
	}
	return p.memory.check(newest(p.bundles))
}

// from moves the branch, which is at tip, as the policy allows.
func (p *push) from(ctx context.Context, tip string) error {
	if p.consumer.FastForwardOnly && tip != "" && reached(p.bundles, tip) < len(p.bundles) {
		return p.fastForward(ctx, tip)
	}
	last := len(p.bundles) - 1
	for i := reached(p.bundles, tip); i <= last; i++ {
		b := p.bundles[i]
		update := smarthttp.RefUpdate{Ref: p.destination.Ref(), Old: tip, New: b.Commit}
		var also []smarthttp.RefUpdate
		if i == last {
			also = p.consumer.remember(p.memory, b.MadeAt, b.Commit)
		}
		if err := p.send(ctx, i, update, also); err != nil {
			return p.consumer.explain(ctx, p.destination, tip, b, err)
		}
		tip = b.Commit
	}
	return nil
}

// fastForward brings the commits to a ref of ours first, where the destination can tell whether
// they lead back to the branch's tip; only then the branch follows.
func (p *push) fastForward(ctx context.Context, tip string) error {
	incoming := refsPrefix + "incoming/" + p.destination.Branch + "/tip"
	left, err := p.consumer.Destination.RefsBelow(ctx, p.destination.Path(), incoming[:len(incoming)-len("tip")])
	if err != nil {
		return err
	}
	at := left[incoming]
	for i := reached(p.bundles, at); i < len(p.bundles); i++ {
		b := p.bundles[i]
		if err := p.send(ctx, i, smarthttp.RefUpdate{Ref: incoming, Old: at, New: b.Commit}, nil); err != nil {
			return p.consumer.explain(ctx, p.destination, tip, b, err)
		}
		at = b.Commit
	}
	remove := smarthttp.RefUpdate{Ref: incoming, Old: at}
	descends, err := p.consumer.Destination.Descends(ctx, p.destination.Path(), at, tip)
	if err != nil {
		return err
	}
	if !descends {
		err := fmt.Errorf("%w: the destination is at %s, which the source's %s does not lead back to", ErrNotFastForward, tip, at)
		return errors.Join(err, p.consumer.Destination.Push(ctx, smarthttp.PushRequest{Repo: p.destination.Path(), RefUpdate: remove}))
	}
	last := p.bundles[len(p.bundles)-1]
	err = p.consumer.Destination.Push(ctx, smarthttp.PushRequest{
		Repo:      p.destination.Path(),
		RefUpdate: smarthttp.RefUpdate{Ref: p.destination.Ref(), Old: tip, New: at},
		Also:      append(p.consumer.remember(p.memory, last.MadeAt, at), remove),
		Pack:      bytes.NewReader(smarthttp.EmptyPack),
		PackSize:  int64(len(smarthttp.EmptyPack)),
	})
	return p.consumer.explain(ctx, p.destination, tip, Bundle{}, err)
}

// send pushes one bundle's pack, straight from disk.
func (p *push) send(ctx context.Context, i int, update smarthttp.RefUpdate, also []smarthttp.RefUpdate) error {
	file, err := p.run.Open(numbered(bundleFile, i))
	if err != nil {
		return err
	}
	defer file.Close()
	pack, size, err := p.pack(file, p.bundles[i])
	if err != nil {
		return err
	}
	return p.consumer.Destination.Push(ctx, smarthttp.PushRequest{
		Repo:      p.destination.Path(),
		RefUpdate: update,
		Also:      also,
		Pack:      p.meter.read(pack),
		PackSize:  size,
		Thin:      p.bundles[i].Thin,
	})
}

// pack reads the bundle's header, which must be what the manifest says.
func (p *push) pack(file *os.File, b Bundle) (pack io.Reader, size int64, err error) {
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	r := bufio.NewReader(file)
	header, headerSize, err := bundle.ReadHeader(r)
	if err != nil {
		return nil, 0, err
	}
	if want := (bundle.Header{Branch: p.destination.Branch, Commit: b.Commit, Base: b.Base}); header != want {
		return nil, 0, fmt.Errorf("%w: %+v instead of %+v", ErrBundleDiffers, header, want)
	}
	return r, info.Size() - headerSize, nil
}
