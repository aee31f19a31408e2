package turn_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/turn"
)

// Whoever comes late in one turn does not in all of them.
func TestCompare(t *testing.T) {
	t.Parallel()
	names := strings.Fields("a b c d e f g h")
	first := map[string]bool{}
	for minute := range 100 {
		now := turn.At(time.Unix(int64(minute)*60, 0))
		require.Equal(t, now, turn.At(time.Unix(int64(minute)*60+59, 0)), "a turn lasts for a minute")
		order := slices.Clone(names)
		slices.SortFunc(order, now.Compare)
		first[order[0]] = true
		again := slices.Clone(names)
		slices.Reverse(again)
		slices.SortFunc(again, now.Compare)
		require.Equal(t, order, again, "one turn has one order")
	}
	require.Len(t, first, len(names), "each is first in some turn")
}
