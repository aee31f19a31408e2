package turn_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

func branches(names string) (out []project.Branch) {
	for name := range strings.FieldsSeq(names) {
		out = append(out, project.Branch{Group: "g", Name: name, Branch: "main"})
	}
	return out
}

// Whoever comes late in one turn does not in all of them.
func TestCompare(t *testing.T) {
	t.Parallel()
	all := branches("a b c d e f g h")
	first := map[project.Branch]bool{}
	for minute := range 100 {
		now := turn.At(time.Unix(int64(minute)*60, 0))
		require.Equal(t, now, turn.At(time.Unix(int64(minute)*60+59, 0)), "a turn lasts for a minute")
		order := slices.Clone(all)
		slices.SortFunc(order, now.Compare)
		first[order[0]] = true
		again := slices.Clone(all)
		slices.Reverse(again)
		slices.SortFunc(again, now.Compare)
		require.Equal(t, order, again, "one turn has one order")
	}
	require.Len(t, first, len(all), "each is first in some turn")
}

func TestPosition(t *testing.T) {
	t.Parallel()
	seen := map[turn.Position]bool{}
	for _, b := range branches("a b c d e f g h") {
		other := b
		other.Branch = "other"
		p, q := turn.Order(7).Position(b), turn.Order(7).Position(other)
		require.NotEqual(t, p, q)
		require.Equal(t, p>>40, q>>40, "branches of one project follow each other")
		spelled := b
		spelled.Name = strings.ToUpper(b.Name)
		require.Equal(t, p, turn.Order(7).Position(spelled))
		require.NotEqual(t, p, turn.Order(8).Position(b))
		require.Positive(t, p)
		require.Zero(t, p>>63)
		seen[p>>40] = true
	}
	require.Len(t, seen, 8)
}

func TestSameProject(t *testing.T) {
	t.Parallel()
	order := turn.At(time.Unix(1_000_000, 0))
	main := order.Position(project.Branch{Group: "g", Name: "p", Branch: "main"})
	require.True(t, main.SameProject(order.Position(project.Branch{Group: "G", Name: "P", Branch: "refs/heads/*"})))
	require.False(t, main.SameProject(order.Position(project.Branch{Group: "g", Name: "q", Branch: "main"})))
	require.False(t, main.SameProject(0), "before all branches")
}
