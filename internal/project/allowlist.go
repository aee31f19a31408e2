package project

import (
	"fmt"
	"strings"
)

// Allowlist says which projects may be touched. An empty one allows all.
type Allowlist []string

// ParseAllowlist reads project paths ("group/name") and groups with all that is below
// them ("group/*"), separated by white space or commas.
func ParseAllowlist(s string) (Allowlist, error) {
	list := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\r\n,", r) })
	for _, entry := range list {
		path, isGroup := strings.CutSuffix(entry, "/*")
		if path == "" || strings.Contains(path, "*") || !isGroup && !strings.Contains(path, "/") {
			return nil, fmt.Errorf("%q is neither a project (group/name) nor a group (group/*)", entry)
		}
	}
	return list, nil
}

// Allows tells whether the branch's project may be touched.
func (l Allowlist) Allows(b Branch) bool {
	for _, entry := range l {
		group, isGroup := strings.CutSuffix(entry, "*")
		if entry == b.Path() || isGroup && strings.HasPrefix(b.Path(), group) {
			return true
		}
	}
	return len(l) == 0
}
