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
)

// Turn is one order of all names.
type Turn uint64

// At is the turn at a time.
func At(now time.Time) Turn { return Turn(now.Unix() / 60) }

// Rank is the name's place in the order: the lowest comes first.
func (t Turn) Rank(name string) uint64 {
	buffer := make([]byte, 8, 256)
	binary.BigEndian.PutUint64(buffer, uint64(t))
	sum := sha256.Sum256(append(buffer, name...))
	return binary.BigEndian.Uint64(sum[:])
}

// Compare is for sorting names into the order.
func (t Turn) Compare(a, b string) int {
	return cmp.Or(cmp.Compare(t.Rank(a), t.Rank(b)), strings.Compare(a, b))
}
