package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"strings"
)

// inTurn compares names for the order in which branches are worked on. Each turn, such as the ID of a
// cycle, has another order: when not all get their turn, it is others the next time, so that
// nobody is last for good. Without a turn it is the order of the names.
func inTurn(turn string) func(a, b string) int {
	if turn == "" {
		return strings.Compare
	}
	return func(a, b string) int {
		return cmp.Or(cmp.Compare(place(turn, a), place(turn, b)), strings.Compare(a, b))
	}
}

// place is as good as drawn: turns that are alike, as numbered ones are, have orders that are not.
func place(turn, name string) uint64 {
	sum := sha256.Sum256([]byte(name + "\x00" + turn))
	return binary.BigEndian.Uint64(sum[:])
}
