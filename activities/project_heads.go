package activities

import (
	"cmp"
	"slices"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// projectHeads takes the refs of one project as the server lists them, and makes of them the heads of all of the
// project's syncs. Of a set it keeps no refs, so its memory does not depend on how many there are.
type projectHeads struct {
	wanted  smarthttp.Wanted
	singles []singleHead
	sets    []*setHead
	found   map[string]string // objects of the refs that are wanted by name, as far as they exist
}

type singleHead struct {
	destination project.Branch
	ref, note   string
}

// setHead is the state of a sync's set as far as its refs have come.
type setHead struct {
	sync  project.Sync
	note  string // what the names of refs begin with whose ends are the noted states; empty if none is wanted
	noted string
	state refset.State
	err   error
}

// newProjectHeads says which refs are wanted for the syncs of one project, and for their notes.
func newProjectHeads(syncs []project.Sync, notes map[project.Branch]string) *projectHeads {
	p := &projectHeads{found: map[string]string{}}
	for _, s := range syncs {
		note := notes[s.Destination]
		if s.Source.IsSet() {
			p.sets = append(p.sets, &setHead{sync: s, note: note})
			p.wanted.Prefixes = append(p.wanted.Prefixes, s.Source.RefPrefixes()...)
			if note != "" {
				p.wanted.Prefixes = append(p.wanted.Prefixes, note)
			}
			continue
		}
		p.singles = append(p.singles, singleHead{s.Destination, s.Source.Ref(), note})
		p.wanted.Names = append(p.wanted.Names, s.Source.Ref())
		if note != "" {
			p.wanted.Names = append(p.wanted.Names, note)
		}
	}
	slices.Sort(p.wanted.Names)
	slices.Sort(p.wanted.Prefixes)
	p.wanted.Names, p.wanted.Prefixes = slices.Compact(p.wanted.Names), slices.Compact(p.wanted.Prefixes)
	for _, name := range p.wanted.Names {
		p.found[name] = ""
	}
	return p
}

// add takes in the next ref. What is wrong with one set is that sync's failure, and no reason to stop.
func (p *projectHeads) add(ref smarthttp.Ref) error {
	if _, wanted := p.found[ref.Name]; wanted {
		p.found[ref.Name] = ref.Object
	}
	for _, s := range p.sets {
		s.add(ref)
	}
	return nil
}

func (s *setHead) add(ref smarthttp.Ref) {
	if s.note != "" && strings.HasPrefix(ref.Name, s.note) {
		s.noted = cmp.Or(notedState(ref.Name, s.note), s.noted)
		return
	}
	if part, ok := s.sync.Match(ref.Name); ok && s.err == nil {
		s.err = s.state.Add(refset.Ref{Part: part, Object: ref.Object})
	}
}

// heads calls yield with the head of each sync's destination, after all refs have come.
func (p *projectHeads) heads(yield func(destination project.Branch, head plan.Head)) {
	for _, single := range p.singles {
		yield(single.destination, plan.Head{Commit: p.found[single.ref], Noted: p.found[single.note]})
	}
	for _, s := range p.sets {
		head := plan.Head{Noted: s.noted, Err: s.err}
		if s.err == nil {
			head.Commit = s.state.ID()
		}
		yield(s.sync.Destination, head)
	}
}
