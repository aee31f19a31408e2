package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// What a plan holds at most of each list, in bytes of JSON. Temporal takes 2 MiB for all of them together, and as
// much again for what became of them.
const (
	maxMoves    = 768 << 10
	maxFailures = 192 << 10
	maxNames    = 192 << 10
)

// Bounded leaves out what does not fit into one plan, and counts it: the rest is for the next cycles. Whose turn
// it is changes, so that what fails again and again does not keep the others out.
func (out Uploads) Bounded(now turn.Turn) Uploads {
	var left int
	out.Uploads, left = bounded(out.Uploads, maxMoves, now, func(u Upload) string { return u.Sync.Destination.String() })
	out.Deferred += left
	out.InSync, _ = bounded(out.InSync, maxNames, now, func(b Branch) string { return b.Destination })
	out.Orphans.Due, _ = bounded(out.Orphans.Due, maxNames, now, project.Branch.String)
	out.Failures = boundFailures(out.Failures, now)
	return out
}

// Bounded is that of Uploads for what is to be pushed.
func (p Pushes) Bounded(now turn.Turn) Pushes {
	var left int
	p.Pushes, left = bounded(p.Pushes, maxMoves, now, func(push Push) string { return push.Destination.String() })
	p.Deferred += left
	p.InSync, _ = bounded(p.InSync, maxNames, now, func(b Branch) string { return b.Destination })
	p.Failures = boundFailures(p.Failures, now)
	return p
}

// inOrder compares names for the order of a plan: by turn, so that nobody is last for good; by themselves where
// the plan is only shown.
func inOrder(shown bool, now turn.Turn) func(a, b string) int {
	if shown {
		return strings.Compare
	}
	return now.Compare
}

// bounded picks by turn what fits, and keeps it in its order.
func bounded[T any](list []T, limit int, now turn.Turn, name func(T) string) (fits []T, left int) {
	sizes, total := make([]int, len(list)), 0
	for i := range list {
		sizes[i] = jsonSize(list[i])
		total += sizes[i]
	}
	if total <= limit {
		return list, 0
	}
	order := make([]int, len(list))
	ranks := make([]uint64, len(list))
	for i := range list {
		order[i], ranks[i] = i, now.Rank(name(list[i]))
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(ranks[a], ranks[b]) })
	taken, used := 0, 0
	for taken < len(order) && used+sizes[order[taken]] <= limit {
		used += sizes[order[taken]]
		taken++
	}
	slices.Sort(order[:taken])
	for _, i := range order[:taken] {
		fits = append(fits, list[i])
	}
	return fits, len(list) - taken
}

func jsonSize(v any) int {
	text, err := json.Marshal(v)
	if err != nil {
		return maxMoves + 1 // it could not be sent either
	}
	return len(text)
}

// boundFailures says of what is left out how many there are of which kind.
func boundFailures(failures []Failure, now turn.Turn) []Failure {
	fits, left := bounded(failures, maxFailures, now, func(f Failure) string { return f.Subject })
	if left == 0 {
		return fits
	}
	counts := map[string]int{}
	for _, f := range failures {
		counts[f.Kind]++
	}
	for _, f := range fits {
		counts[f.Kind]--
	}
	kinds := make([]string, 0, len(counts))
	for kind := range counts {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		if n := counts[kind]; n > 0 {
			fits = append(fits, Failure{Subject: "plan", Kind: kind, Reason: fmt.Sprintf("%d more failures of this kind are not listed", n)})
		}
	}
	return fits
}
