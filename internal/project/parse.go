package project

import (
	"fmt"
	"strings"
)

// ParseBranch reads what Branch.String writes, "group/name@branch". A branch may also have its full name.
func ParseBranch(s string) (b Branch, err error) {
	path, branch, found := strings.Cut(s, "@") // no path has one
	slash := strings.LastIndexByte(path, '/')
	if !found || slash < 0 {
		return b, fmt.Errorf("%q is not a branch (group/name@branch)", s)
	}
	b = Branch{Group: path[:slash], Name: path[slash+1:], Branch: CanonicalBranch(branch)}
	if err := b.Validate(); err != nil {
		return Branch{}, fmt.Errorf("%q is not a branch (group/name@branch): %w", s, err)
	}
	return b, nil
}
