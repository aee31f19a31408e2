package project

import (
	"errors"
	"fmt"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
)

// Allowlist says which projects may be touched. The zero value allows none.
type Allowlist struct {
	entries []string // in lower case
	all     bool
}

// AllowAll allows every project.
func AllowAll() Allowlist { return Allowlist{all: true} }

// ParseAllowlist reads project paths ("group/name") and groups with all that is below
// them ("group/*"), separated by white space or commas. There has to be one. Case does not
// count: GitLab does not tell "Group/App" from "group/app".
func ParseAllowlist(s string) (Allowlist, error) {
	list := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\r\n,", r) })
	if len(list) == 0 {
		return Allowlist{}, errors.New("no project (group/name) or group (group/*) found")
	}
	for i, entry := range list {
		path, isGroup := strings.CutSuffix(entry, "/*")
		if gitlab.ValidateGroup(path) != nil || !isGroup && !strings.Contains(path, "/") {
			return Allowlist{}, fmt.Errorf("%q is neither a project (group/name) nor a group (group/*)", entry)
		}
		list[i] = gitlab.CanonicalPath(entry)
	}
	return Allowlist{entries: list}, nil
}

// Allows tells whether the branch's project may be touched.
func (l Allowlist) Allows(b Branch) bool { return l.AllowsPath(b.Path()) }

// AllowsPath tells the same of a project's path, "group/name".
func (l Allowlist) AllowsPath(path string) bool {
	path = gitlab.CanonicalPath(path)
	for _, entry := range l.entries {
		group, isGroup := strings.CutSuffix(entry, "*")
		if entry == path || isGroup && strings.HasPrefix(path, group) {
			return true
		}
	}
	return l.all
}
