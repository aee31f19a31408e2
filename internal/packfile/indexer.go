package packfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// entry is an object of a pack. A place is the index of an entry, plus 1; 0 is none.
type entry struct {
	offset      int64
	crc         uint32
	kind        plumbing.ObjectType
	hash        plumbing.Hash
	delta, next int32 // places: the first delta on this object, and the next one on the same base
}

// indexer names the objects of a pack. go-git's own parser keeps each object in memory while it does.
type indexer struct {
	scanner *packfile.Scanner
	entries []entry
	// named are the deltas whose bases are given by their names, and not resolved yet.
	named map[plumbing.Hash][]int32
	// contents is how many bytes of objects are in memory.
	contents, contentsLimit int64
}

func (x *indexer) index() (*idxfile.MemoryIndex, error) {
	_, count, err := x.scanner.Header()
	if err != nil {
		return nil, err
	}
	if count > maxObjects {
		return nil, fmt.Errorf("%w: %d objects, limit %d", ErrTooLarge, count, maxObjects)
	}
	x.named = map[plumbing.Hash][]int32{}
	for range count {
		if err := x.scan(); err != nil {
			return nil, err
		}
	}
	checksum, err := x.scanner.Checksum()
	if err != nil {
		return nil, err
	}
	for place := range int32(len(x.entries)) {
		if x.entries[place].kind.IsDelta() {
			continue
		}
		if err := x.resolve(place + 1); err != nil {
			return nil, err
		}
	}
	return x.memoryIndex(checksum)
}

// scan reads the next object. The name of one that is no delta is known then.
func (x *indexer) scan() error {
	header, err := x.scanner.NextObjectHeader()
	if err != nil {
		return err
	}
	e, place := entry{offset: header.Offset, kind: header.Type}, int32(len(x.entries)+1)
	hasher := plumbing.NewHasher(header.Type, header.Length)
	content := io.Writer(hasher)
	switch header.Type {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
	case plumbing.OFSDeltaObject:
		base := x.at(header.OffsetReference)
		if base == nil {
			return fmt.Errorf("no object at %d, where the one at %d has its base", header.OffsetReference, header.Offset)
		}
		e.next, base.delta, content = base.delta, place, io.Discard
	case plumbing.REFDeltaObject:
		x.named[header.Reference], content = append(x.named[header.Reference], place), io.Discard
	default:
		return fmt.Errorf("object at %d is of type %d", header.Offset, header.Type)
	}
	var size int64
	size, e.crc, err = x.scanner.NextObject(content)
	switch {
	case err != nil:
		return err
	case size != header.Length:
		return fmt.Errorf("object at %d: %d bytes, not %d", header.Offset, size, header.Length)
	case !header.Type.IsDelta():
		e.hash = hasher.Sum()
	}
	x.entries = append(x.entries, e)
	return nil
}

// at returns the object that begins at offset, or nil.
func (x *indexer) at(offset int64) *entry {
	i := sort.Search(len(x.entries), func(i int) bool { return x.entries[i].offset >= offset })
	if i == len(x.entries) || x.entries[i].offset != offset {
		return nil
	}
	return &x.entries[i]
}

// base is an object in memory that has deltas left.
type base struct {
	place   int32
	content []byte
}

// resolve names all objects that are deltas on this one, on those, and so on. An object leaves memory when its last delta is made
// into an object, so that a chain of deltas takes as much as two of its objects.
func (x *indexer) resolve(place int32) error {
	if !x.findDeltas(place) {
		return nil
	}
	content, err := x.read(place)
	if err != nil {
		return err
	}
	bases := []base{{place, content}}
	for len(bases) > 0 {
		last := bases[len(bases)-1]
		e := &x.entries[last.place-1]
		delta := e.delta
		e.delta = x.entries[delta-1].next
		content, err := x.patch(last.content, delta)
		if err != nil {
			return err
		}
		if e.delta == 0 {
			bases = bases[:len(bases)-1]
			x.contents -= int64(len(last.content))
		}
		resolved := &x.entries[delta-1]
		resolved.kind, resolved.hash = e.kind, plumbing.ComputeHash(e.kind, content)
		if x.findDeltas(delta) {
			bases = append(bases, base{delta, content})
			x.contents += int64(len(content))
		}
	}
	return nil
}

// findDeltas tells whether there are deltas on the object, whose name is known by now.
func (x *indexer) findDeltas(place int32) bool {
	e := &x.entries[place-1]
	for _, delta := range x.named[e.hash] {
		x.entries[delta-1].next, e.delta = e.delta, delta
	}
	delete(x.named, e.hash)
	return e.delta != 0
}

// patch returns the object that is stored as a delta on base.
func (x *indexer) patch(base []byte, place int32) ([]byte, error) {
	delta, err := x.read(place)
	if err != nil {
		return nil, err
	}
	defer func() { x.contents -= int64(len(delta)) }()
	_, n := binary.Uvarint(delta)
	if n <= 0 {
		return nil, packfile.ErrInvalidDelta
	}
	size, n := binary.Uvarint(delta[n:])
	switch {
	case n <= 0:
		return nil, packfile.ErrInvalidDelta
	case size > uint64(x.contentsLimit-x.contents):
		return nil, fmt.Errorf("%w: a delta makes an object of %d bytes, limit %d for all that are needed at a time", ErrTooLarge, size, x.contentsLimit)
	}
	return packfile.PatchDelta(base, delta)
}

// read returns what is stored of an object.
func (x *indexer) read(place int32) ([]byte, error) {
	header, err := x.scanner.SeekObjectHeader(x.entries[place-1].offset)
	if err != nil {
		return nil, err
	}
	if x.contents += header.Length; x.contents > x.contentsLimit {
		return nil, fmt.Errorf("%w: %d bytes of objects are needed at a time, limit %d", ErrTooLarge, x.contents, x.contentsLimit)
	}
	content := bytes.NewBuffer(make([]byte, 0, header.Length))
	_, _, err = x.scanner.NextObject(content)
	return content.Bytes(), err
}

func (x *indexer) memoryIndex(checksum plumbing.Hash) (*idxfile.MemoryIndex, error) {
	var w idxfile.Writer
	if err := w.OnHeader(uint32(len(x.entries))); err != nil {
		return nil, err
	}
	for _, e := range x.entries {
		if e.kind.IsDelta() {
			return nil, errors.New("incomplete: the base of a delta is not in it")
		}
		w.Add(e.hash, uint64(e.offset), e.crc)
	}
	x.entries = nil
	if err := w.OnFooter(checksum); err != nil {
		return nil, err
	}
	return w.Index()
}
