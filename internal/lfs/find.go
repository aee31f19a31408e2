package lfs

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/packfile"
)

// FindPointers returns the list of all pointers in a pack of this size in bytes, which begins with "PACK". Of a thin pack
// it also returns how many objects may be pointers and cannot be told because their bases are not in the pack: a complete
// pack of the same objects tells. It fails with ErrTooMany, and as packfile.Search does.
func FindPointers(ctx context.Context, pack io.ReaderAt, size int64, thin bool) (found List, unresolved int, err error) {
	all := collection{limit: MaxListSize}
	search := packfile.Search{Limit: MaxPointerSize, Thin: thin, Never: neverInPointer, Possible: possiblePointer, Found: all.add}
	if unresolved, err = search.Run(ctx, pack, size); err != nil {
		return nil, 0, fmt.Errorf("find LFS pointers: %w", err)
	}
	return all.list(), unresolved, nil
}

// collection is the objects of pointers, each once.
type collection struct {
	objects     map[Object]bool
	size, limit int // bytes of their list
}

// add takes a blob. It fails with ErrTooMany.
func (c *collection) add(blob []byte) error {
	o, ok := ParsePointer(blob)
	if !ok || c.objects[o] {
		return nil
	}
	if c.size += len(Entry{Object: o, Missing: true}.line()); c.size > c.limit {
		return fmt.Errorf("%w: their list is longer than %d bytes", ErrTooMany, c.limit)
	}
	if c.objects == nil {
		c.objects = map[Object]bool{}
	}
	c.objects[o] = true
	return nil
}

func (c *collection) list() List {
	return NewList(slices.Collect(maps.Keys(c.objects)))
}
