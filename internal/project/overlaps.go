package project

import (
	"iter"
	"slices"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
)

// OverlapIndex finds what overlaps among many branches, tags and sets. All of them are compared in little more time than it
// takes to sort them. The zero value holds none.
type OverlapIndex struct{ projects map[string]*indexed } // by canonical path

// indexed has what is named of one project. What a name begins with is all before the "*" of a set, and the whole ref of a
// branch or tag.
type indexed struct {
	beginnings []string            // sorted
	named      map[string][]Branch // by beginning: at most a set, and a branch or tag
	sets       bool                // some are sets: without, nothing overlaps
}

// NewOverlapIndex holds the identities of valid branches, each once.
func NewOverlapIndex(branches iter.Seq[Branch]) OverlapIndex {
	x := OverlapIndex{map[string]*indexed{}}
	for b := range branches {
		b = b.Identity()
		p := x.projects[b.Path()]
		if p == nil {
			p = &indexed{named: map[string][]Branch{}}
			x.projects[b.Path()] = p
		}
		p.sets = p.sets || b.IsSet()
		at := b.beginning()
		if len(p.named[at]) == 0 {
			p.beginnings = append(p.beginnings, at)
		}
		if !slices.Contains(p.named[at], b) {
			p.named[at] = append(p.named[at], b)
		}
	}
	for _, p := range x.projects {
		slices.Sort(p.beginnings)
	}
	return x
}

// Overlapping returns the identities of all that overlap b (Branch.Overlaps), but not b itself.
func (x OverlapIndex) Overlapping(b Branch) iter.Seq[Branch] {
	b = b.Identity()
	p := x.projects[gitlab.CanonicalPath(b.Path())]
	return func(yield func(Branch) bool) {
		if p == nil || !p.sets && !b.IsSet() {
			return
		}
		for at := range p.related(b) {
			for _, other := range p.named[at] {
				if other != b && b.Overlaps(other) && !yield(other) {
					return
				}
			}
		}
	}
}

// related returns the beginnings of what may overlap b: sets around it have a beginning of b's, and what is in it a
// continuation.
func (p *indexed) related(b Branch) iter.Seq[string] {
	begin := b.beginning()
	return func(yield func(string) bool) {
		for end := range begin {
			if at := begin[:end]; len(p.named[at]) > 0 && !yield(at) {
				return
			}
		}
		first, _ := slices.BinarySearch(p.beginnings, begin)
		for _, at := range p.beginnings[first:] {
			if !strings.HasPrefix(at, begin) || at != begin && !b.IsSet() || !yield(at) {
				return
			}
		}
	}
}

func (b Branch) beginning() string { return strings.TrimSuffix(b.Ref(), "*") }
