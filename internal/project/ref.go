package project

import "strings"

const (
	headsPrefix = "refs/heads/"
	tagsPrefix  = "refs/tags/"
)

// CanonicalBranch returns the one name that keys, locks and chains have for what a sync's text means: "main" for
// "refs/heads/main", and "refs/heads/release-*" for "release-*". All else it leaves for ValidateBranch to accept or
// refuse.
func CanonicalBranch(text string) string {
	if strings.HasSuffix(text, "*") {
		if strings.HasPrefix(text, "refs/") {
			return text
		}
		return headsPrefix + text
	}
	// A rest that begins with "refs/" could be read as the full name of another ref.
	if short, ok := strings.CutPrefix(text, headsPrefix); ok && !strings.HasPrefix(short, "refs/") {
		return short
	}
	return text
}

// IsTag tells whether b is a single tag.
func (b Branch) IsTag() bool { return strings.HasPrefix(b.Branch, tagsPrefix) && !b.IsSet() }

// Kind is "branch", "tag" or "set of refs", for people.
func (b Branch) Kind() string {
	switch {
	case b.IsSet():
		return "set of refs"
	case b.IsTag():
		return "tag"
	}
	return "branch"
}

// Ref is the full reference name of a single branch or tag. A set has none: then it is the pattern, which no ref can have as
// its name.
func (b Branch) Ref() string {
	if b.IsTag() || b.IsSet() {
		return b.Branch
	}
	return headsPrefix + b.Branch
}
