package activities

import (
	"crypto/sha256"
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// maxMoved is how many destinations are named that have moved. After more, all are looked at.
const maxMoved = 200

// knownCatalog is the catalog that a worker has read last, as far as it takes to tell what the next one has moved. Of each
// sync it has two short hashes, so its memory is small whatever the names are.
type knownCatalog struct {
	catalog.Seen
	objects map[shortHash]shortHash // destinations' newest objects
}

type shortHash [16]byte

func hashOf(format string, args ...any) shortHash {
	sum := sha256.Sum256(fmt.Appendf(nil, format, args...))
	return shortHash(sum[:16])
}

func newKnownCatalog(c catalog.Catalog, etag string) knownCatalog {
	k := knownCatalog{catalog.Seen{ETag: etag, Sequence: c.Sequence}, make(map[shortHash]shortHash, len(c.Syncs))}
	for _, s := range c.Syncs {
		if s.Object != nil {
			k.objects[hashOf("%q", s.Destination.Identity())] = hashOf("%q %q %d", s.Object.Commit, s.Object.Base, s.Object.Modified.UnixNano())
		}
	}
	return k
}

// moved returns the destinations of a later catalog that have another object than in this one. It is false if they are too many.
func (k knownCatalog) moved(c catalog.Catalog, later knownCatalog, wanted project.Allowlist) (moved []project.Branch, ok bool) {
	for _, s := range c.Syncs {
		b := hashOf("%q", s.Destination.Identity())
		if now, exists := later.objects[b]; !exists || now == k.objects[b] || !wanted.Allows(s.Destination) {
			continue
		}
		if len(moved) == maxMoved {
			return nil, false
		}
		moved = append(moved, s.Destination)
	}
	return moved, true
}
