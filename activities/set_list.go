package activities

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/refset"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// stageList writes what the set has to become to a file of the run.
func (c *Consumer) stageList(ctx context.Context, run staging.Run, push plan.Push, to destination) error {
	list, err := c.readList(ctx, push, to)
	if err != nil {
		return err
	}
	return stageText(run, refsFile, list.Encode())
}

func stageText(run staging.Run, name string, text []byte) error {
	return run.Create(name, func(f *os.File) error {
		_, err := f.Write(text)
		return err
	})
}

// readList returns the state to which a push's objects lead. It reads their refs, and no packs. If the destination is in
// one of the chain's states, it reads only those of the objects that follow.
func (c *Consumer) readList(ctx context.Context, push plan.Push, to destination) (list refset.List, err error) {
	objects := push.Objects
	if to.tip != "" {
		if at := slices.IndexFunc(objects, func(o object.Stored) bool { return o.Commit == to.tip }); at >= 0 {
			objects = objects[at+1:]
		} else if objects[0].Base != to.tip {
			to.tip = ""
		}
	}
	if to.tip != "" {
		if list, err = to.set.list(); err != nil {
			return nil, err
		}
	}
	for i, o := range objects {
		if o.Base != list.StateID() {
			return nil, fmt.Errorf("destination %s: %w: it has no object for state %s", to.branch, ErrBrokenChain, o.Base)
		}
		if list, err = c.followRefs(ctx, o, push.ExpectedAt(objects, i), list); err != nil {
			return nil, fmt.Errorf("object %s: %w", o.Key, err)
		}
	}
	return list, nil
}

// followRefs returns the state to which an object leads from the state that it builds on.
func (c *Consumer) followRefs(ctx context.Context, o object.Stored, expected plan.Expected, base refset.List) (refset.List, error) {
	start := c.Bucket.OpenStart(ctx, o.Key, objectHeadSize)
	defer func() { _ = start.Close() }()
	opened, err := c.openObject(start, o, expected)
	if err != nil {
		return nil, err
	}
	refs, err := opened.archive.Refs()
	if err != nil {
		return nil, err
	}
	return opened.archive.Manifest.State(base, refs)
}

// stageRefs writes the refs of an object of a set to a file of the run.
func stageRefs(run staging.Run, i int, opened *archive.Reader) error {
	refs, err := opened.Refs()
	if err != nil {
		return err
	}
	return stageText(run, numbered(refsFile, i), refs.Encode())
}

// stagedText reads a file of refs.
func stagedText(run staging.Run, name string) ([]byte, error) {
	file, err := run.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, max(archive.MaxRefsSize, lfs.MaxListSize)))
}

// stagedList reads what a set has to become.
func stagedList(run staging.Run, state string) (refset.List, error) {
	text, err := stagedText(run, refsFile)
	if err != nil {
		return nil, err
	}
	list, err := refset.Parse(text)
	if err == nil && list.StateID() != state {
		err = fmt.Errorf("it is state %q, not %s", list.StateID(), state)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrAltered, refsFile, err)
	}
	return list, nil
}

// stagedRefs reads the refs of the bundle with this number.
func stagedRefs(run staging.Run, i int, b archive.Bundle) (refset.Difference, error) {
	text, err := stagedText(run, numbered(refsFile, i))
	if err != nil {
		return nil, err
	}
	var got archive.Bundle
	if got.BindRefs(text); got.RefsSHA256 != b.RefsSHA256 {
		return nil, fmt.Errorf("%w: the SHA-256 of %s is %s, the manifest says %s", ErrAltered, numbered(refsFile, i), got.RefsSHA256, b.RefsSHA256)
	}
	return refset.ParseDifference(text)
}
