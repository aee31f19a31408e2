package smarthttp

import (
	"bytes"
	"crypto/sha1" // the pack format's checksum, against accidents; nothing is trusted for it
	"encoding/binary"
	"fmt"
	"hash"
	"io"
)

const packHeaderSize = 12 // "PACK", version, number of objects

// packVerifier passes a pack on and checks its frame (gitformat-pack(5)): the header, and the trailer, which is the
// SHA-1 of everything before it.
type packVerifier struct {
	r       io.Reader
	header  []byte
	sum     hash.Hash
	trailer []byte // the last bytes so far, which may be the trailer and are not in sum yet
	err     error
}

func newPackVerifier(r io.Reader) *packVerifier {
	return &packVerifier{r: r, sum: sha1.New()}
}

func (v *packVerifier) Read(b []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.r.Read(b)
	v.update(b[:n])
	switch {
	case !v.validHeader():
		n, v.err = 0, fmt.Errorf("%w: no pack header", ErrCorruptPack)
	case err == io.EOF:
		v.err = v.finish()
	default:
		v.err = err
	}
	return n, v.err
}

func (v *packVerifier) update(b []byte) {
	v.header = append(v.header, b[:min(len(b), packHeaderSize-len(v.header))]...)
	if len(b) >= sha1.Size {
		v.sum.Write(v.trailer)
		v.sum.Write(b[:len(b)-sha1.Size])
		v.trailer = append(v.trailer[:0], b[len(b)-sha1.Size:]...)
		return
	}
	v.trailer = append(v.trailer, b...)
	if over := len(v.trailer) - sha1.Size; over > 0 {
		v.sum.Write(v.trailer[:over])
		v.trailer = append(v.trailer[:0], v.trailer[over:]...)
	}
}

// validHeader checks as much of the header as has been read.
func (v *packVerifier) validHeader() bool {
	const magic = "PACK"
	if n := min(len(v.header), len(magic)); string(v.header[:n]) != magic[:n] {
		return false
	}
	if len(v.header) < packHeaderSize {
		return true
	}
	version := binary.BigEndian.Uint32(v.header[len(magic):])
	return version == 2 || version == 3
}

func (v *packVerifier) finish() error {
	switch {
	case len(v.header) < packHeaderSize || len(v.trailer) < sha1.Size:
		return fmt.Errorf("pack: %w", io.ErrUnexpectedEOF)
	case !bytes.Equal(v.sum.Sum(nil), v.trailer):
		return fmt.Errorf("%w: checksum mismatch", ErrCorruptPack)
	}
	return io.EOF
}
