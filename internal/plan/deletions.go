package plan

import (
	"cmp"
	"slices"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// The destinations that a plan names whose objects would be deleted are bounded in number and in bytes of JSON. Of others, it only
// has numbers.
const (
	maxDeletable     = 100
	maxDeletableSize = 64 << 10
)

// Deletable is what a cycle would delete of one destination.
type Deletable struct {
	Destination string `json:"destination"`
	Objects     int    `json:"objects"`
	Bytes       int64  `json:"bytes"`
	// Orphaned says that these are all: the sync has left the configuration. Else newer ones have replaced them.
	Orphaned bool `json:"orphaned,omitempty"`
}

// Deletable returns what would be deleted of the due destinations, and of all others that have objects that newer ones have replaced.
func (out Orphans) Deletable(chains map[project.Branch]chain.Chain) (deletable []Deletable) {
	for b, c := range chains {
		d := Deletable{Destination: b.String()}
		d.Orphaned = slices.Contains(out.Due, b)
		objects := c.Superseded
		if d.Orphaned {
			objects = c.All()
		}
		if d.Objects, d.Bytes = len(objects), sizeOf(objects); d.Objects > 0 {
			deletable = append(deletable, d)
		}
	}
	slices.SortFunc(deletable, func(a, b Deletable) int { return cmp.Compare(a.Destination, b.Destination) })
	deletable = deletable[:min(len(deletable), maxDeletable)]
	for size, i := 0, 0; i < len(deletable); i++ {
		if size += jsonSize(deletable[i]) + 1; size > maxDeletableSize {
			return deletable[:i]
		}
	}
	return deletable
}

func sizeOf(objects []object.Stored) (bytes int64) {
	for _, o := range objects {
		bytes += o.Size
	}
	return bytes
}
