package project

import (
	"strings"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
)

// everything is the pattern of a whole project: all of its branches and tags, and no other refs.
const everything = "refs/*"

// IsSet tells whether b is all refs that a pattern matches, and not a single branch or tag.
func (b Branch) IsSet() bool { return strings.HasSuffix(b.Branch, "*") }

// RefPrefixes returns the beginnings of full names, one of which each ref of a set has: for "refs/*" those of branches and of
// tags. Of a single branch or tag there are none.
func (b Branch) RefPrefixes() []string {
	switch {
	case !b.IsSet():
		return nil
	case b.Branch == everything:
		return []string{headsPrefix, tagsPrefix}
	}
	return []string{b.beforeStar()}
}

// Match returns the part of a full ref name that the "*" of a set's pattern stands for: "1.x" of "refs/heads/release-1.x" for
// "refs/heads/release-*", and "tags/v1" of "refs/tags/v1" for "refs/*". It is not ok for a ref that is not in the set, as no
// ref is whose name a sync of it alone could not have (ValidateBranch).
func (b Branch) Match(ref string) (part string, ok bool) {
	part, ok = strings.CutPrefix(ref, b.beforeStar())
	if !ok || part == "" || !b.IsSet() || !validRef(ref) {
		return "", false
	}
	return part, true
}

// Has tells whether a ref, by its full name, is the branch or tag, or in the set.
func (b Branch) Has(ref string) bool {
	if !b.IsSet() {
		return ref == b.Ref()
	}
	_, ok := b.Match(ref)
	return ok
}

// RefFor returns the full name of the ref for which Match returns that part. Sorted parts give sorted names, in the order of
// bytes.
func (b Branch) RefFor(part string) string { return b.beforeStar() + part }

// Overlaps tells whether some ref can belong to both: to the same project, in any spelling, and to what both name.
func (b Branch) Overlaps(other Branch) bool {
	switch {
	case gitlab.CanonicalPath(b.Path()) != gitlab.CanonicalPath(other.Path()):
		return false
	case b.IsSet() && other.IsSet():
		return strings.HasPrefix(b.beforeStar(), other.beforeStar()) || strings.HasPrefix(other.beforeStar(), b.beforeStar())
	case b.IsSet():
		_, ok := b.Match(other.Ref())
		return ok
	case other.IsSet():
		return other.Overlaps(b)
	}
	return b.Branch == other.Branch
}

// Match returns the part of a ref of the source that the "*" of both patterns stands for. It is not ok for a ref that is not in
// the source's set, or that would have a name at the destination which is not in that one's: "refs/heads/a-.b" matches "a-*",
// and nothing can be named "refs/heads/b/.b".
func (s Sync) Match(ref string) (part string, ok bool) {
	part, ok = s.Source.Match(ref)
	if !ok {
		return "", false
	}
	return s.Destination.Match(s.Destination.RefFor(part))
}

func (b Branch) beforeStar() string { return strings.TrimSuffix(b.Branch, "*") }

// validRef tells whether the full name of a ref is that of a branch or tag which a sync of it alone could have.
func validRef(ref string) bool {
	short, isBranch := strings.CutPrefix(ref, headsPrefix)
	if isBranch {
		return !strings.HasPrefix(short, "refs/") && invalidSingleReason(short) == ""
	}
	return strings.HasPrefix(ref, tagsPrefix) && invalidSingleReason(ref) == ""
}
