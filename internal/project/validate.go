package project

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
)

// maxBranchLength is 255, the longest file name, less the 5 bytes of ".lock": Git servers keep a branch as a file and
// lock it through a second one. A name with slashes could be longer there, but not in an object key.
const maxBranchLength = 250

var commitPattern = regexp.MustCompile(`^[0-9a-f]{40}$`)

// nullCommit is how the Git protocol spells "no commit". As the new value in a push, it deletes the branch.
var nullCommit = strings.Repeat("0", 40)

// ValidCommit tells whether s is a full SHA-1 object name in lower-case hexadecimal, other than the null object name.
func ValidCommit(s string) bool { return commitPattern.MatchString(s) && s != nullCommit }

// Validate returns every name of b that GitLab or Git would refuse.
func (b Branch) Validate() error {
	return errors.Join(b.ValidateProject(), ValidateBranch(b.Branch))
}

// ValidateProject returns what GitLab would refuse of the project's path.
func (b Branch) ValidateProject() error { return gitlab.ValidateProject(b.Group, b.Name) }

// Validate returns every invalid name of the source and the destination.
func (s Sync) Validate() error {
	var errs []error
	if err := s.Source.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("source: %w", err))
	}
	if err := s.Destination.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("destination: %w", err))
	}
	if !s.Source.sameKind(s.Destination) {
		errs = append(errs, fmt.Errorf("the %s %q cannot become the %s %q: name on both sides a branch, a tag, a pattern of branches, a pattern of tags, or refs/*",
			s.Source.Kind(), s.Source.Branch, s.Destination.Kind(), s.Destination.Branch))
	}
	return errors.Join(errs...)
}

func (b Branch) sameKind(other Branch) bool {
	return b.Kind() == other.Kind() && (b.Branch == everything) == (other.Branch == everything) &&
		strings.HasPrefix(b.Branch, tagsPrefix) == strings.HasPrefix(other.Branch, tagsPrefix)
}

// ValidateBranch accepts the canonical name of a branch or tag, and the canonical pattern of a set of refs: "refs/*",
// or one of branches or tags whose only '*' is its last character, and that some name of a branch or tag matches.
// To names it applies git-check-ref-format(1), and rules of its
// own. The name is UTF-8, because names travel as JSON. It is at most 250 bytes long. It contains no character that
// makes a terminal show something else; git refuses ASCII's control characters only. What git refuses of a branch
// only, a leading '-' and HEAD, is refused of a tag, too, and so is "@", which git reads as HEAD.
func ValidateBranch(name string) error {
	if reason := invalidBranchReason(name); reason != "" {
		return fmt.Errorf("branch %q: %s", name, reason)
	}
	return nil
}

// accepted says what a sync's branch may be.
const accepted = "accepted are a branch (main), a tag (refs/tags/v1), and patterns with one '*' at their end: of branches (* or release-*), of tags (refs/tags/*), and of both (refs/*)"

func invalidBranchReason(name string) string {
	switch before, isSet := strings.CutSuffix(name, "*"); {
	case strings.Contains(before, "*"):
		return "contains '*' elsewhere than once at the end: " + accepted
	case isSet && name != everything:
		return invalidPatternReason(before)
	case isSet:
		return ""
	}
	return invalidSingleReason(name)
}

// invalidPatternReason is about what is before the '*'. Behind it may be anything, such as a letter.
func invalidPatternReason(before string) string {
	short, isTags := strings.CutPrefix(before, tagsPrefix)
	if !isTags {
		var areBranches bool
		if short, areBranches = strings.CutPrefix(before, headsPrefix); !areBranches || strings.HasPrefix(short, "refs/") {
			return "is a pattern neither of branches nor of tags: " + accepted
		}
	}
	if len(before) >= maxBranchLength {
		return fmt.Sprintf("%d bytes, limit %d", len(before)+1, maxBranchLength)
	}
	return invalidNameReason(short + "x")
}

// invalidSingleReason is about the canonical name of a branch or tag.
func invalidSingleReason(name string) string {
	short, isTag := strings.CutPrefix(name, tagsPrefix)
	switch {
	case len(name) > maxBranchLength:
		return fmt.Sprintf("%d bytes, limit %d", len(name), maxBranchLength)
	case !isTag && strings.HasPrefix(name, "refs/"):
		return "is neither a branch (main) nor a tag (refs/tags/v1)"
	}
	return invalidNameReason(short)
}

// invalidNameReason is about the short name of a branch or tag.
func invalidNameReason(name string) string {
	switch {
	case name == "":
		return "is empty"
	case !utf8.ValidString(name):
		return "is not UTF-8"
	case name == "@" || name == "HEAD":
		return "is reserved by git"
	case strings.HasPrefix(name, "-"):
		return "starts with '-'"
	case strings.HasSuffix(name, "."):
		return "ends in '.'"
	case strings.ContainsFunc(name, foreign.IsControl):
		return "contains a character that terminals act on"
	case strings.Contains(name, "*"):
		return "contains '*'"
	case strings.ContainsAny(name, ` ~^:?[\`):
		return `contains a space or one of ~^:?[\`
	case strings.Contains(name, ".."), strings.Contains(name, "@{"):
		return "contains '..' or '@{'"
	}
	for component := range strings.SplitSeq(name, "/") {
		switch {
		case component == "":
			return "has an empty path component"
		case strings.HasPrefix(component, "."):
			return "has a path component that starts with '.'"
		case strings.HasSuffix(component, ".lock"):
			return "has a path component that ends in '.lock'"
		}
	}
	return ""
}
