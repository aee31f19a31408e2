package packfile

import (
	"container/heap"
	"errors"

	"github.com/go-git/go-git/v5/plumbing"
)

// ErrTooCostly says that a pack is made so that it would take too long to search it.
var ErrTooCostly = errors.New("pack takes too much work to be searched")

const (
	// maxWaiting bounds the blobs that are in memory because some of their bytes are not known yet, in bytes. Where these
	// are takes forty times that at worst, when each is in another place. A blob itself takes as much as blobBytes of them.
	maxWaiting = 1 << 20
	blobBytes  = 8

	// What may be spent on bases goes by what it takes to read the pack once: sizeFactor times the bytes that are inflated,
	// and baseFactor times its objects, each as baseWork bytes, which are inflated in the time that it takes to get at one.
	// What git packs takes less than once.
	freeWork   = 64 << 20
	sizeFactor = 4
	baseFactor = 64
	baseWork   = 1 << 10

	noBase = -1
)

// add takes an object of which more is known than before.
func (s *searching) add(p *partial) error {
	switch {
	case p.never:
	case len(p.gaps) == 0:
		return s.Found(p.content)
	case p.base != noBase:
		heap.Push(&s.waiting, p)
	case s.Possible(p.content, p.known()):
		s.unresolved++
	}
	return nil
}

// resolve fills the gaps of all that are waiting. Bases come before what builds on them, so that the one that is last in
// the pack has everyone waiting for it, and is inflated once for all of them; only where bases are given by their names it
// may be more often.
func (s *searching) resolve() error {
	for len(s.waiting) > 0 {
		object := s.waiting[0].base
		var group []*partial
		for len(s.waiting) > 0 && s.waiting[0].base == object {
			group = append(group, heap.Pop(&s.waiting).(*partial))
		}
		isBlob, err := s.readBase(object, group)
		if err != nil {
			return corrupt(err)
		}
		if !isBlob {
			continue
		}
		for _, p := range group {
			if err := s.add(p); err != nil {
				return err
			}
		}
	}
	s.waitingSize = 0
	return nil
}

// readBase fills gaps from their base, or from the base of that. It tells whether the base can be a blob.
func (s *searching) readBase(object int64, group []*partial) (isBlob bool, err error) {
	s.budget -= baseWork
	header, err := s.bases.SeekObjectHeader(object)
	if err != nil {
		return false, err
	}
	if header.Type != plumbing.BlobObject && !header.Type.IsDelta() {
		return false, nil
	}
	content, err := s.bases.ReadObject()
	if err != nil {
		return false, err
	}
	defer func() { _ = content.Close() }() // it was only read
	s.again.Reset(&metered{content, &s.budget})
	if !header.Type.IsDelta() {
		return true, s.fill(group, wholeObject{s.again, make([]byte, wholeBuffer)}.next)
	}
	d, err := newDelta(s.again)
	if err != nil {
		return false, err
	}
	base := s.base(header)
	for _, p := range group {
		p.base = base
	}
	return true, s.fill(group, d.next)
}

// waiting is a heap of blobs, the one whose base is last in the pack first.
type waiting []*partial

func (w waiting) Len() int           { return len(w) }
func (w waiting) Less(i, j int) bool { return w[i].base > w[j].base }
func (w waiting) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }
func (w *waiting) Push(p any)        { *w = append(*w, p.(*partial)) }
func (w *waiting) Pop() any {
	last := len(*w) - 1
	p := (*w)[last]
	*w = (*w)[:last]
	return p
}
