// Package turn says who comes first when not all can be taken at once. The order is another one in each
// minute, and nobody can choose a name that comes first, or keeps another from it, every time: whoever is
// left out now comes before long. Nothing has to be remembered for that.
package turn

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// Order is one order of all names.
type Order uint64

// Position is the place of a branch in a turn's order, from 1: the lowest comes first. It fits into 63 bits.
type Position uint64

// At is the turn at a time.
func At(now time.Time) Order { return Order(now.Unix() / 60) }

// Position is the same for all spellings of a branch. The branches of one project follow each other, so that
// whoever goes through them in this order asks a server for each project once.
func (t Order) Position(b project.Branch) Position {
	const branchBits = 40 // the upper 23 bits are the project's
	identity := b.Identity()
	ofProject, ofBranch := t.rank(identity.Path())>>(1+branchBits), t.rank(identity.String())>>(64-branchBits)
	return max(1, Position(ofProject<<branchBits|ofBranch))
}

// rank is the name's place in the order: the lowest comes first.
func (t Order) rank(name string) uint64 {
	buffer := make([]byte, 8, 256)
	binary.BigEndian.PutUint64(buffer, uint64(t))
	sum := sha256.Sum256(append(buffer, name...))
	return binary.BigEndian.Uint64(sum[:])
}

// Compare is for sorting branches into the order.
func (t Order) Compare(a, b project.Branch) int {
	return cmp.Or(cmp.Compare(t.Position(a), t.Position(b)), strings.Compare(a.String(), b.String()))
}
