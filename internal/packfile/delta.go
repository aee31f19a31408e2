package packfile

import (
	"encoding/binary"
	"fmt"
	"io"
)

const wholeBuffer = 4 << 10

// maxDelta is how large a delta can be that makes an object of less than size bytes: two sizes, and for each byte an
// instruction to copy it. What a larger one begins with makes more bytes than that already.
func maxDelta(size int) int { return 2*binary.MaxVarintLen64 + 8*size }

// part is some of an object's content, in the order of it: bytes that are known, or a copy of the base's.
type part struct {
	length  int64
	literal []byte // nil for a copy; of use until the next part is read
	offset  int64  // in the base, for a copy
}

// after is the part without its first n bytes.
func (p part) after(n int64) part {
	p.length -= n
	if p.literal != nil {
		p.literal = p.literal[n:]
		return p
	}
	p.offset += n
	return p
}

// delta reads the instructions of a delta (gitformat-pack(5)).
type delta struct {
	r      byteReader
	base   int64 // bytes of the object that it is a delta on
	result int64 // bytes of the object that it makes, as far as they have not been read
	buffer [0x7f]byte
}

type byteReader interface {
	io.Reader
	io.ByteReader
}

// newDelta reads the two sizes that a delta begins with.
func newDelta(r byteReader) (*delta, error) {
	d := &delta{r: r}
	for _, size := range []*int64{&d.base, &d.result} {
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, fmt.Errorf("sizes of a delta: %w", err)
		}
		if int64(n) < 0 {
			return nil, fmt.Errorf("size of a delta: %d", n)
		}
		*size = int64(n)
	}
	return d, nil
}

// next returns the next part of the object, and io.EOF behind the last one.
func (d *delta) next() (part, error) {
	code, err := d.r.ReadByte()
	if err == io.EOF && d.result == 0 {
		return part{}, io.EOF
	}
	var p part
	switch {
	case err != nil:
	case code&0x80 != 0:
		p, err = d.copied(code)
	case code != 0:
		p = part{length: int64(code), literal: d.buffer[:code]}
		_, err = io.ReadFull(d.r, p.literal)
	}
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return part{}, fmt.Errorf("%w: a delta ends too early", ErrCorrupt)
	case err != nil:
		return part{}, err
	case p.length == 0 || p.length > d.result || p.literal == nil && p.offset+p.length > d.base:
		return part{}, fmt.Errorf("%w: a delta with an instruction that is none", ErrCorrupt)
	}
	d.result -= p.length
	return p, nil
}

// copied reads the rest of an instruction to copy: bits of its code say which bytes of the offset and the length follow.
func (d *delta) copied(code byte) (p part, err error) {
	for bit := range 7 {
		if code&(1<<bit) == 0 {
			continue
		}
		b, err := d.r.ReadByte()
		if err != nil {
			return part{}, err
		}
		if bit < 4 {
			p.offset |= int64(b) << (8 * bit)
		} else {
			p.length |= int64(b) << (8 * (bit - 4))
		}
	}
	if p.length == 0 {
		p.length = 0x10000
	}
	return p, nil
}

// wholeObject reads an object that is no delta.
type wholeObject struct {
	io.Reader
	buffer []byte
}

func (w wholeObject) next() (part, error) {
	n, err := w.Read(w.buffer)
	if n > 0 {
		err = nil // it comes again
	}
	return part{length: int64(n), literal: w.buffer[:n]}, err
}
