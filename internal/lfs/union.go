package lfs

import "slices"

// Union returns what any of the lists has. An object that the source had for one of them is not missing.
func Union(lists ...List) List {
	all := slices.Concat(lists...)
	slices.SortFunc(all, func(a, b Entry) int {
		if order := a.compare(b.Object); order != 0 || a.Missing == b.Missing {
			return order
		}
		if b.Missing {
			return -1
		}
		return 1
	})
	return slices.CompactFunc(all, func(a, b Entry) bool { return a.Object == b.Object })
}
