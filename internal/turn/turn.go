// Package turn decides who comes first when not all fit. The order changes every minute, and nobody can choose a name
// that always comes first or always keeps another name back. So whoever is left out now comes soon, without anything
// being remembered.
package turn

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// Order is one order of all branches.
type Order uint64

// Position is the place of a branch in an order, from 1. The lowest comes first. It fits into 63 bits.
type Position uint64

// At returns the order at a time.
func At(now time.Time) Order { return Order(now.Unix() / 60) }

// branchBits are a position's lower bits. The upper 23 are the project's.
const branchBits = 40

// SameProject tells whether two positions of one order are of branches of one project, but for projects that are next to each
// other by chance.
func (p Position) SameProject(other Position) bool { return p>>branchBits == other>>branchBits }

// Position returns the place of a branch, which is the same for all spellings of it. The branches of one project are
// next to each other, so that a server is asked only once for each project.
func (t Order) Position(b project.Branch) Position {
	identity := b.Identity()
	ofProject, ofBranch := t.rank(identity.Path())>>(1+branchBits), t.rank(identity.String())>>(64-branchBits)
	return max(1, Position(ofProject<<branchBits|ofBranch))
}

// rank is the name's place in the order. The lowest comes first.
func (t Order) rank(name string) uint64 {
	buffer := make([]byte, 8, 256)
	binary.BigEndian.PutUint64(buffer, uint64(t))
	sum := sha256.Sum256(append(buffer, name...))
	return binary.BigEndian.Uint64(sum[:])
}

// Compare compares two branches by their place in the order.
func (t Order) Compare(a, b project.Branch) int {
	return cmp.Or(cmp.Compare(t.Position(a), t.Position(b)), strings.Compare(a.String(), b.String()))
}
