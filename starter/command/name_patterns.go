package command

import (
	"regexp"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// namePatterns select destinations, and projects. Without any, all are wanted.
type namePatterns []namePattern

// namePattern has what matches a project's path, whose case does not count, and a branch; nil stands for all branches.
type namePattern struct{ path, branch *regexp.Regexp }

func newNamePatterns(names []string) (patterns namePatterns) {
	for _, name := range names {
		path, branch, named := strings.Cut(name, "@")
		p := namePattern{path: wildcards("(?i)", path)}
		if named {
			p.branch = wildcards("", project.CanonicalBranch(branch))
		}
		patterns = append(patterns, p)
	}
	return patterns
}

// wildcards returns what matches a text in which "*" stands for anything.
func wildcards(flags, text string) *regexp.Regexp {
	return regexp.MustCompile(flags + "^" + strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, ".*") + "$")
}

// has tells whether a destination is wanted.
func (all namePatterns) has(b project.Branch) bool {
	for _, p := range all {
		if p.path.MatchString(b.Path()) && (p.branch == nil || p.branch.MatchString(b.Branch)) {
			return true
		}
	}
	return len(all) == 0
}

// hasProject tells whether a project, or any destination there, is wanted.
func (all namePatterns) hasProject(path string) bool {
	for _, p := range all {
		if p.path.MatchString(path) {
			return true
		}
	}
	return len(all) == 0
}
