package project

import "strings"

const (
	headsPrefix = "refs/heads/"
	tagsPrefix  = "refs/tags/"
)

// CanonicalBranch returns the one name that keys, locks and chains have for what a sync's text means: "main" for
// "refs/heads/main". All else it leaves for ValidateBranch to accept or refuse.
func CanonicalBranch(text string) string {
	// A rest that begins with "refs/" could be read as the full name of another ref.
	if short, ok := strings.CutPrefix(text, headsPrefix); ok && !strings.HasPrefix(short, "refs/") {
		return short
	}
	return text
}

// IsTag tells whether b is a tag.
func (b Branch) IsTag() bool { return strings.HasPrefix(b.Branch, tagsPrefix) }

// Kind is "branch" or "tag", for people.
func (b Branch) Kind() string {
	if b.IsTag() {
		return "tag"
	}
	return "branch"
}

// Ref is the full reference name.
func (b Branch) Ref() string {
	if b.IsTag() {
		return b.Branch
	}
	return headsPrefix + b.Branch
}
