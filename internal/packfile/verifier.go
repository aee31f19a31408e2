// Package packfile checks Git's packs as they pass by, without a look at their objects, makes indexes of packs on a disk, and
// searches them for small blobs.
package packfile

import (
	"bytes"
	"crypto/sha1" // the pack format's checksum, against accidents; nothing is trusted for it
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
)

// ErrCorrupt says that a pack contradicts its own checksum, or is none.
var ErrCorrupt = errors.New("corrupt pack")

const headerSize = 12 // "PACK", version, number of objects

// Verifier passes a pack on and checks its frame (gitformat-pack(5)): the header, and the trailer, which is the SHA-1 of
// everything before it. Only io.EOF says that the pack came whole. It fails with ErrCorrupt, or with
// io.ErrUnexpectedEOF for a pack that was cut off.
type Verifier struct {
	r       io.Reader
	header  []byte
	sum     hash.Hash
	trailer []byte // the last bytes so far, which may be the trailer and are not in sum yet
}

// NewVerifier reads a pack from r.
func NewVerifier(r io.Reader) *Verifier {
	return &Verifier{r: r, sum: sha1.New()}
}

// Objects is how many objects the pack says that it has; 0 before its header has been read.
func (v *Verifier) Objects() uint32 {
	if len(v.header) < headerSize {
		return 0
	}
	return binary.BigEndian.Uint32(v.header[headerSize-4:])
}

// Read implements io.Reader.
func (v *Verifier) Read(b []byte) (int, error) {
	n, err := v.r.Read(b)
	v.update(b[:n])
	switch {
	case !v.validHeader():
		return 0, fmt.Errorf("%w: no pack header", ErrCorrupt)
	case err == io.EOF:
		return n, v.finish()
	}
	return n, err
}

func (v *Verifier) update(b []byte) {
	v.header = append(v.header, b[:min(len(b), headerSize-len(v.header))]...)
	v.trailer = append(v.trailer, b...)
	before := v.trailer[:max(0, len(v.trailer)-sha1.Size)]
	v.sum.Write(before)
	v.trailer = append(v.trailer[:0], v.trailer[len(before):]...)
}

// validHeader checks as much of the header as has been read.
func (v *Verifier) validHeader() bool {
	const magic = "PACK"
	if n := min(len(v.header), len(magic)); string(v.header[:n]) != magic[:n] {
		return false
	}
	if len(v.header) < headerSize {
		return true
	}
	version := binary.BigEndian.Uint32(v.header[len(magic):])
	return version == 2 || version == 3
}

func (v *Verifier) finish() error {
	switch {
	case len(v.trailer) < sha1.Size:
		return fmt.Errorf("pack: %w", io.ErrUnexpectedEOF)
	case !bytes.Equal(v.sum.Sum(nil), v.trailer):
		return fmt.Errorf("%w: checksum mismatch", ErrCorrupt)
	}
	return io.EOF
}
