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
	return errors.Join(gitlab.ValidateProject(b.Group, b.Name), ValidateBranch(b.Branch))
}

// Validate returns every invalid name of the source and the destination.
func (s Sync) Validate() error {
	var errs []error
	if err := s.Source.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("source: %w", err))
	}
	if err := s.Destination.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("destination: %w", err))
	}
	return errors.Join(errs...)
}

// ValidateBranch applies git-check-ref-format(1) to a branch's short name, and four rules of its own. The name is
// UTF-8, because names travel as JSON. It is at most 250 bytes long. It is not "@", which git accepts but reads as
// HEAD. It contains no character that makes a terminal show something else; git refuses ASCII's control characters
// only.
func ValidateBranch(name string) error {
	if reason := invalidBranchReason(name); reason != "" {
		return fmt.Errorf("branch %q: %s", name, reason)
	}
	return nil
}

func invalidBranchReason(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > maxBranchLength:
		return fmt.Sprintf("%d bytes, limit %d", len(name), maxBranchLength)
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
	case strings.ContainsAny(name, ` ~^:?*[\`):
		return `contains a space or one of ~^:?*[\`
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
