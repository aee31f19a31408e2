package gitlab

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// maxPath is the longest "group/name" that GitLab allows, in bytes: the length of a row in its routes table.
const maxPath = 255

var segmentPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// CanonicalPath returns the spelling by which paths are compared. GitLab ignores the case of a group's or project's
// path, and so does Gitea.
func CanonicalPath(path string) string { return strings.ToLower(path) }

// ValidateProject returns what GitLab would refuse of a project's path: its group's full path ("platform/edge"), its
// name, or the length of both.
func ValidateProject(group, name string) error {
	err := errors.Join(ValidateGroup(group), validateSegment("project", name))
	if wiki, is := strings.CutSuffix(name, ".wiki"); err == nil && is { // GitLab allows the name, and gives its URL to another repository
		err = fmt.Errorf("project %q: that is where the wiki of %q is", name, wiki)
	}
	if path := group + "/" + name; err == nil && len(path) > maxPath {
		err = fmt.Errorf("project path %q: %d bytes, limit %d", path, len(path), maxPath)
	}
	return err
}

// ValidateGroup returns the first name in a group's full path that GitLab would refuse.
func ValidateGroup(path string) error {
	for segment := range strings.SplitSeq(path, "/") {
		if err := validateSegment("group", segment); err != nil {
			return fmt.Errorf("group path %q: %w", path, err)
		}
	}
	return nil
}

// validateSegment applies the path rules that GitLab has for groups as well as for projects
// (lib/gitlab/path_regex.rb).
func validateSegment(field, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%s name is empty", field)
	case !segmentPattern.MatchString(s):
		return fmt.Errorf("%s %q: only letters, digits, '_', '-' and '.' are allowed", field, s)
	case s == "." || s == "..":
		return fmt.Errorf("%s %q: is not a name", field, s)
	case strings.HasPrefix(s, "-"):
		return fmt.Errorf("%s %q: starts with '-'", field, s)
	case strings.HasSuffix(s, ".git") || strings.HasSuffix(s, ".atom"):
		return fmt.Errorf("%s %q: ends in '.git' or '.atom'", field, s)
	}
	return nil
}
