package packfile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// Search finds small blobs in a pack, without an index and with little memory: most of the pack is inflated only to find
// where its objects end. Of what is stored as a delta, only the bytes of the bases are looked for that are in such a blob.
type Search struct {
	Limit int // bytes: smaller blobs are looked for
	// Never tells bytes that are in none of those that are looked for. So most deltas need no base.
	Never func(b byte) bool
	// Possible tells whether an object can be one of those that are looked for, of which some bytes are known. It is asked
	// where no more of them can be known without a base outside of the pack, and may take more time.
	Possible func(content []byte, known []bool) bool
	// Found is given each small blob, for the time of the call, some more than once. What was possible and is found to be a
	// commit, tree or tag may be given, too. The search ends with its error.
	Found func(blob []byte) error
	// Thin says that bases may have been left out of the pack. Those that are given by their names are not looked for in it
	// then. In a complete pack they are, which takes an index: servers that name bases in the pack are rare.
	Thin bool
}

// Run searches a pack of this size in bytes. It returns how many objects of a thin pack may be such blobs and cannot be
// told without bases outside of it; of a complete pack there are none. It fails with ErrCorrupt, with ErrTooCostly, as
// NewIndex does, or with the error of ctx, of pack or of Found.
func (s Search) Run(ctx context.Context, pack io.ReaderAt, size int64) (unresolved int, err error) {
	unresolved, err = s.run(ctx, pack, size, nil)
	if err != nil || unresolved == 0 || s.Thin {
		return unresolved, err
	}
	index, err := NewIndex(newSource(ctx, pack, size))
	if err != nil {
		return 0, err
	}
	return s.run(ctx, pack, size, index)
}

func (s Search) run(ctx context.Context, pack io.ReaderAt, size int64, index *Index) (unresolved int, err error) {
	once, again := newSource(ctx, pack, size), newSource(ctx, pack, size)
	in := s.begin(once, again, index)
	if err = in.pass(); err == nil {
		err = in.resolve()
	}
	for _, source := range []*failing{once, again} {
		if source.err != nil {
			return 0, source.err
		}
	}
	return in.unresolved, err
}

// searching is the state of a search.
type searching struct {
	Search
	index   *Index            // or nil
	scanner *packfile.Scanner // reads the pack from its beginning to its end
	bases   *packfile.Scanner // reads of it what the first one has passed
	again   *bufio.Reader     // reads the object that bases is at

	head []byte // of the object that the scanner is at

	waiting     waiting
	waitingSize int // bytes of these blobs, and blobBytes for each
	unresolved  int
	budget      int64 // bytes that may still be inflated for bases
}

// begin makes a search of a pack that can be read at two places.
func (s Search) begin(once, again io.ReadSeeker, index *Index) *searching {
	return &searching{
		Search:  s,
		index:   index,
		scanner: packfile.NewScanner(once),
		bases:   packfile.NewScanner(again),
		again:   bufio.NewReader(nil),
		head:    make([]byte, 0, maxDelta(s.Limit)),
		budget:  freeWork,
	}
}

// pass reads the pack from its beginning to its end.
func (s *searching) pass() error {
	_, count, err := s.scanner.Header()
	if err != nil {
		return corrupt(err)
	}
	for range count {
		if err := s.next(); err != nil {
			return err
		}
		if s.waitingSize > maxWaiting {
			if err := s.resolve(); err != nil {
				return err
			}
		}
	}
	if _, err := s.scanner.Checksum(); err != nil {
		return corrupt(err)
	}
	return nil
}

// next reads the next object.
func (s *searching) next() error {
	header, err := s.scanner.NextObjectHeader()
	if err != nil {
		return corrupt(err)
	}
	s.head = s.head[:0]
	isSmallBlob := header.Type == plumbing.BlobObject && header.Length < int64(s.Limit)
	content := io.Discard
	if isSmallBlob || header.Type.IsDelta() {
		content = (*head)(&s.head)
	}
	size, _, err := s.scanner.NextObject(content)
	if err == nil {
		err = validate(header, size)
	}
	s.budget += sizeFactor*size + baseFactor*baseWork
	switch {
	case err != nil:
		return corrupt(err)
	case isSmallBlob:
		return s.Found(s.head)
	case header.Type.IsDelta():
		return s.delta(header)
	}
	return nil
}

func validate(header *packfile.ObjectHeader, size int64) error {
	switch header.Type {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject, plumbing.OFSDeltaObject, plumbing.REFDeltaObject:
	default:
		return fmt.Errorf("object at %d is of type %d", header.Offset, header.Type)
	}
	if size != header.Length {
		return fmt.Errorf("object at %d: %d bytes, not %d", header.Offset, size, header.Length)
	}
	return nil
}

// delta takes an object that is stored as a delta.
func (s *searching) delta(header *packfile.ObjectHeader) error {
	d, err := newDelta(bytes.NewReader(s.head))
	switch {
	case err != nil:
		return corrupt(err)
	case d.result >= int64(s.Limit):
		return nil
	}
	blob := &partial{content: make([]byte, d.result), base: s.base(header)}
	at := 0
	for {
		part, err := d.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		s.put(blob, uint16(at), uint16(part.length), part)
		at += int(part.length)
	}
	s.waitingSize += blobBytes + len(blob.content)
	return s.add(blob)
}

// base returns where the base of a delta is in the pack, or noBase.
func (s *searching) base(header *packfile.ObjectHeader) int64 {
	if header.Type == plumbing.OFSDeltaObject {
		return header.OffsetReference
	}
	if s.index != nil {
		if offset, err := s.index.memory.FindOffset(header.Reference); err == nil {
			return offset
		}
	}
	return noBase
}

// head keeps as many bytes of what is written as it has room for.
type head []byte

func (h *head) Write(p []byte) (int, error) {
	*h = append(*h, p[:min(len(p), cap(*h)-len(*h))]...)
	return len(p), nil
}

func newSource(ctx context.Context, pack io.ReaderAt, size int64) *failing {
	return &failing{ReadSeeker: &cancelable{ctx, io.NewSectionReader(pack, 0, size)}}
}

// cancelable fails as its context does.
type cancelable struct {
	ctx context.Context
	io.ReadSeeker
}

func (c *cancelable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.ReadSeeker.Read(p)
}

func corrupt(err error) error {
	if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrTooCostly) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}
