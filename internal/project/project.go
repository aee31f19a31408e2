// Package project names what is synced: a branch of a project, and the pair of
// them that a sync joins.
package project

import (
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
)

// Branch is one branch of one project of a GitLab instance. Group is the full
// group path and may have subgroups ("platform/edge").
type Branch struct {
	Group  string `json:"group"`
	Name   string `json:"project_name"`
	Branch string `json:"branch"`
}

// Path is the project's path below the instance, "group/name".
func (b Branch) Path() string { return b.Group + "/" + b.Name }

// Ref is the branch's full reference name.
func (b Branch) Ref() string { return "refs/heads/" + b.Branch }

// String is how logs, errors and workflow IDs name the branch: "group/name@branch".
func (b Branch) String() string { return b.Path() + "@" + b.Branch }

// Identity is the same for all spellings of one branch. The case of a project's path
// does not count, that of a branch does. Duplicates, locks and the bucket's
// chains go by it; whatever is shown or sent has the spelling that was given.
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
