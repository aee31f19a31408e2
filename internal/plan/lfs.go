package plan

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dustin/go-humanize"

	"github.com/app-sre/git-partition-sync/internal/catalog"
)

// LFSUsage is how much of Git LFS the bucket has of a project, or of all.
type LFSUsage struct {
	Objects int   `json:"objects"` // LFS objects, whatever the number of their segments
	Size    int64 `json:"size"`    // bytes in the bucket
}

// LFSProject is the usage of one project.
type LFSProject struct {
	Project string `json:"project"` // group/name, in the spelling of all its spellings
	LFSUsage
	// Unused says that nothing in the bucket is of the project but LFS objects, and no sync is. Only a producer knows.
	Unused bool `json:"unused,omitempty"`
}

// LFSInBucket is what the bucket has of Git LFS.
type LFSInBucket struct {
	LFSUsage
	Projects []LFSProject `json:"projects,omitempty"` // the largest first
	// MoreProjects counts the projects that there was no room for.
	MoreProjects int `json:"more_projects,omitempty"`
	// Incomplete says that there was more than is counted.
	Incomplete bool `json:"incomplete,omitempty"`
}

// maxLFSProjects and maxLFSSize, in bytes of JSON, bound the projects that are listed.
const (
	maxLFSProjects = 500
	maxLFSSize     = 64 << 10
)

// Add adds a project. Memory is bounded, however many there are.
func (l *LFSInBucket) Add(p LFSProject) {
	l.Objects += p.Objects
	l.Size += p.Size
	if l.Projects = append(l.Projects, p); len(l.Projects) == 2*maxLFSProjects {
		l.keepLargest(maxLFSProjects)
	}
}

// Finish keeps the largest projects that there is room for.
func (l *LFSInBucket) Finish() {
	l.keepLargest(min(len(l.Projects), maxLFSProjects))
	size := 0
	for i, p := range l.Projects {
		if size += jsonSize(p) + 1; size > maxLFSSize {
			l.keepLargest(i)
			return
		}
	}
}

func (l *LFSInBucket) keepLargest(n int) {
	slices.SortFunc(l.Projects, func(a, b LFSProject) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Project, b.Project))
	})
	l.MoreProjects += len(l.Projects) - n
	l.Projects = l.Projects[:n]
}

// Project returns what a project uses, given its path in that spelling. It is nil where that is not listed.
func (l *LFSInBucket) Project(path string) *LFSUsage {
	if l == nil {
		return nil
	}
	i := slices.IndexFunc(l.Projects, func(p LFSProject) bool { return p.Project == path })
	if i < 0 {
		return nil
	}
	return &l.Projects[i].LFSUsage
}

// LFSDeletion is a project whose LFS objects are to be deleted, and why.
type LFSDeletion struct {
	Project string `json:"project"`
	Reason  string `json:"reason"`
}

// neededLFS says how many LFS objects a push needs. The catalog has them of the newest object, which it names. What other
// objects need nobody says before they are opened: it is empty if the push takes any of those.
func neededLFS(p Push, named *catalog.Object) string {
	if named == nil || named.LFSObjects == 0 || p.Head == p.Commit {
		return ""
	}
	needed := MissingObjects(p.Objects, []string{p.Head})
	if len(needed) != 1 || needed[0].Commit != named.Commit || needed[0].Base != named.Base {
		return ""
	}
	noun := "LFS objects"
	if named.LFSObjects == 1 {
		noun = "LFS object"
	}
	return fmt.Sprintf(", which needs %s %s, %s", humanize.Comma(int64(named.LFSObjects)), noun, humanize.Bytes(uint64(named.LFSSize)))
}
