// Package project names what is synced: branches, tags and sets of refs of projects, and the pairs of them that syncs join.
package project

import (
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
)

// Branch is one branch, one tag, or the set of refs that a pattern matches, of one project of a GitLab instance. Group
// is the full group path and may have subgroups ("platform/edge"). Branch is the canonical name: of a branch the short
// one ("main"), of a tag the full one ("refs/tags/v1"), of a set the full pattern ("refs/heads/release-*").
type Branch struct {
	Group  string `json:"group"`
	Name   string `json:"project_name"`
	Branch string `json:"branch"`
}

// Path is the project's path below the instance, "group/name".
func (b Branch) Path() string { return b.Group + "/" + b.Name }

// String is the branch's name in logs, errors and workflow IDs: "group/name@branch".
func (b Branch) String() string { return b.Path() + "@" + b.Branch }

// Identity returns the same branch for all of its spellings. Case does not count in a project's path, but does in the
// name of a branch or tag. Duplicates, locks and the bucket's chains are compared by it. Whatever is shown or sent keeps the
// given spelling.
func (b Branch) Identity() Branch {
	return Branch{Group: gitlab.CanonicalPath(b.Group), Name: gitlab.CanonicalPath(b.Name), Branch: b.Branch}
}

// Sync says that Destination has to become a copy of Source.
type Sync struct {
	Source      Branch `json:"source"`
	Destination Branch `json:"destination"`
}

// String is "source -> destination".
func (s Sync) String() string { return fmt.Sprintf("%s -> %s", s.Source, s.Destination) }
