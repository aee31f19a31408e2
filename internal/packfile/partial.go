package packfile

import (
	"cmp"
	"fmt"
	"io"
	"slices"
)

// partial is an object of which some bytes are copies of its base's. These are all of the same base.
type partial struct {
	content []byte
	gaps    []gap // what of it is not known
	base    int64 // where the gaps are copied from: the offset of an object in the pack, or noBase
	never   bool  // it has a byte that is in none of those that are looked for
}

// gap is bytes of an object that are not known.
type gap struct {
	at, length uint16 // in the object
	from       int64  // in its base
}

// put takes the bytes from at on from a part of the object, or, when that is a copy, has a gap there.
func (s *searching) put(p *partial, at, length uint16, of part) {
	if of.literal != nil {
		copy(p.content[at:], of.literal[:length])
		p.never = p.never || slices.ContainsFunc(of.literal[:length], s.Never)
		return
	}
	p.gaps = append(p.gaps, gap{at: at, length: length, from: of.offset})
}

func (p *partial) known() []bool {
	known := make([]bool, len(p.content))
	for i := range known {
		known[i] = true
	}
	for _, gap := range p.gaps {
		clear(known[gap.at : gap.at+gap.length])
	}
	return known
}

// wanted is a gap of a blob.
type wanted struct {
	gap
	blob *partial
}

// fill goes through the parts of an object, and takes from them what the blobs lack. Where these are copies, there are
// other gaps then.
func (s *searching) fill(blobs []*partial, next func() (part, error)) error {
	count := 0
	for _, blob := range blobs {
		count += len(blob.gaps)
	}
	later, now := make([]wanted, 0, count), []wanted(nil) // gaps that begin behind the part, and those that reach into it
	for _, blob := range blobs {
		for _, gap := range blob.gaps {
			later = append(later, wanted{gap, blob})
		}
		blob.gaps = blob.gaps[:0]
	}
	slices.SortFunc(later, func(a, b wanted) int { return cmp.Compare(a.from, b.from) })
	for begin := int64(0); len(later)+len(now) > 0; {
		p, err := next()
		if err == io.EOF {
			return fmt.Errorf("%w: a delta copies from behind the end of its base", ErrCorrupt)
		}
		if err != nil {
			return err
		}
		end := begin + p.length
		for len(later) > 0 && later[0].from < end {
			now, later = append(now, later[0]), later[1:]
		}
		still := now[:0]
		for _, w := range now {
			if w = s.take(w, p, begin); w.length > 0 {
				still = append(still, w)
			}
		}
		now, begin = still, end
	}
	return nil
}

// take takes what there is in the part that begins at begin, and returns what is left of the gap.
func (s *searching) take(w wanted, p part, begin int64) wanted {
	p = p.after(w.from - begin)
	n := uint16(min(int64(w.length), p.length))
	s.put(w.blob, w.at, n, p)
	w.at, w.from, w.length = w.at+n, w.from+int64(n), w.length-n
	return w
}

// metered takes what is read from a budget, and fails when there is none left.
type metered struct {
	io.Reader
	budget *int64
}

func (m *metered) Read(p []byte) (int, error) {
	if *m.budget < 0 {
		return 0, ErrTooCostly
	}
	n, err := m.Reader.Read(p)
	*m.budget -= int64(n)
	return n, err
}
