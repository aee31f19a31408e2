package plan

import (
	"slices"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// Subset has the destinations that a plan is limited to, by identity, in the spelling in which they were named. Nil is no
// limit.
type Subset map[project.Branch]project.Branch

// NewSubset limits a plan to the named destinations. Without names, it does not limit it.
func NewSubset(names ...project.Branch) Subset {
	if len(names) == 0 {
		return nil
	}
	s := Subset{}
	for _, b := range names {
		s[b.Identity()] = b
	}
	return s
}

// Has tells whether the plan is about a destination, in any spelling.
func (s Subset) Has(b project.Branch) bool {
	_, named := s[b.Identity()]
	return named || s == nil
}

// Project returns a function that tells whether the plan has to look at a destination: it is about this one, or about one of
// the same project, which may overlap it.
func (s Subset) Project() func(project.Branch) bool {
	if s == nil {
		return func(project.Branch) bool { return true }
	}
	projects := map[string]bool{}
	for identity := range s {
		projects[identity.Path()] = true
	}
	return func(b project.Branch) bool { return projects[b.Identity().Path()] }
}

// unknown returns a failure for each destination of the subset that is not among the known ones, which are identities.
func (s Subset) unknown(known map[project.Branch]bool, reason string) (failures []Failure) {
	for identity, b := range s {
		if !known[identity] {
			failures = append(failures, Failure{Subject: b.String(), Kind: KindNotConfigured, Reason: reason})
		}
	}
	slices.SortFunc(failures, func(a, b Failure) int { return strings.Compare(a.Subject, b.Subject) })
	return failures
}

// SubsetFailures says which destinations of Only have no sync, or one that is refused.
func (p UploadPlanner) SubsetFailures() (failures []Failure) {
	accepted, refused := p.ValidateSyncs()
	known := map[project.Branch]bool{}
	for _, s := range accepted {
		known[s.Destination.Identity()] = true
	}
	for _, f := range refused {
		if b, err := project.ParseBranch(f.Subject); err == nil && p.Only.Has(b) {
			known[b.Identity()] = true
			failures = append(failures, f)
		}
	}
	return append(failures, p.Only.unknown(known, "no configured sync has this destination")...)
}

// SubsetFailures says of which destinations of Only the bucket has nothing, unless they are not allowed anyway.
func (p PushPlanner) SubsetFailures() (failures []Failure) {
	known := map[project.Branch]bool{}
	for b := range p.Chains {
		known[b.Identity()] = true
	}
	for _, entry := range p.absent() {
		known[entry.Destination.Identity()] = true
	}
	for identity, b := range p.Only {
		if !p.Allow.Allows(b) {
			known[identity] = true
			failures = append(failures, NotAllowed(b))
		}
	}
	return append(failures, p.Only.unknown(known, "the bucket has no object of this destination")...)
}
