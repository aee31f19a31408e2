package activities

import (
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// maxBeside bounds the destinations of one project of which only the newest object is kept.
const maxBeside = 10_000

// newestObjects has the newest object of each of a bounded number of destinations, by identity.
type newestObjects map[project.Branch]object.Stored

func (n newestObjects) add(o object.Stored) {
	b := o.Destination.Identity()
	before, known := n[b]
	if known && plan.Precedes(before, o) || !known && len(n) < maxBeside {
		n[b] = o
	}
}
