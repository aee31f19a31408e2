package plan

import (
	"cmp"
	"hash/fnv"
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

func place(turn, name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name + "\x00" + turn)) // a hash takes everything
	return h.Sum64()
}
