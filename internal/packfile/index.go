package packfile

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// ErrTooLarge says that indexing a pack would take too much memory.
var ErrTooLarge = errors.New("pack is too large to be indexed")

const (
	// maxObjects bounds the objects of a pack: each takes about 200 bytes of memory.
	maxObjects = 16 << 20
	// maxContents bounds what is in memory of objects that are stored as deltas, and of their bases, in bytes. Git stores
	// nothing as a delta that is larger (core.bigFileThreshold). Other objects are hashed as they are read.
	maxContents = 512 << 20
)

// Index is the index of a complete pack, in version 2 (gitformat-pack(5)).
type Index struct {
	memory *idxfile.MemoryIndex
	size   int64
}

// NewIndex reads a pack from its beginning, and then each delta once more, with its base. It fails with ErrCorrupt when
// the pack is not whole and complete in itself, with ErrTooLarge, or with the error of pack.
func NewIndex(pack io.ReadSeeker) (*Index, error) {
	source := &failing{ReadSeeker: pack}
	x := indexer{scanner: packfile.NewScanner(source), contentsLimit: maxContents}
	memory, err := x.index()
	switch {
	case err == nil:
	case source.err != nil:
		return nil, source.err
	case errors.Is(err, ErrTooLarge):
		return nil, err
	default:
		return nil, fmt.Errorf("%w: index: %w", ErrCorrupt, err)
	}
	var size counter
	index := &Index{memory: memory}
	if err := index.Encode(&size); err != nil {
		return nil, err
	}
	index.size = int64(size)
	return index, nil
}

// Size is how many bytes Encode writes.
func (x *Index) Size() int64 { return x.size }

// Checksum is the pack's, in hexadecimal. Git names packs so.
func (x *Index) Checksum() string { return plumbing.Hash(x.memory.PackfileChecksum).String() }

// Encode writes the index.
func (x *Index) Encode(w io.Writer) error {
	_, err := idxfile.NewEncoder(w).Encode(x.memory)
	return err
}

// failing remembers the error that ended reading; the scanner rewords it.
type failing struct {
	io.ReadSeeker
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.ReadSeeker.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
