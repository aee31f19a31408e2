package project

import (
	"errors"
	"fmt"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/list"
)

// Allowlist says which projects may be touched. The zero value allows none.
type Allowlist struct {
	entries []string // in lower case
	all     bool
}

// AllowAll allows every project.
func AllowAll() Allowlist { return Allowlist{all: true} }

// ParseAllowlist reads a list (package list) of project paths ("group/name") and of groups with everything below them
// ("group/*"). It fails for an empty list. Case does not count: to GitLab, "Group/App" and "group/app" are the same.
func ParseAllowlist(s string) (Allowlist, error) {
	var allowed Allowlist
	for _, entry := range list.Words(s) {
		path, isGroup := strings.CutSuffix(entry, "/*")
		if gitlab.ValidateGroup(path) != nil || !isGroup && !strings.Contains(path, "/") {
			return Allowlist{}, fmt.Errorf("%q is neither a project (group/name) nor a group (group/*)", entry)
		}
		allowed.entries = append(allowed.entries, gitlab.CanonicalPath(entry))
	}
	if len(allowed.entries) == 0 {
		return Allowlist{}, errors.New("no project (group/name) or group (group/*) found")
	}
	return allowed, nil
}

// Allows tells whether the branch's project may be touched.
func (l Allowlist) Allows(b Branch) bool { return l.AllowsPath(b.Path()) }

// AllowsPath tells whether the project with the path "group/name" may be touched.
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
