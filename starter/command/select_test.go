package command

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func TestSelection(t *testing.T) {
	t.Parallel()
	all := []string{"Mirror/app@main", "mirror/app@release-*", "mirror/app@release-1", "mirror/sub/app@refs/*", "other/app@main"}
	for _, tt := range []struct {
		names []string
		want  []int
		exact bool
	}{
		{nil, []int{0, 1, 2, 3, 4}, false},
		{[]string{"mirror/App@main"}, []int{0}, true},
		{[]string{"mirror/app@refs/heads/main", "other/app@main"}, []int{0, 4}, true},
		{[]string{"mirror/*"}, []int{0, 1, 2, 3}, false},
		{[]string{"MIRROR/???@main"}, []int{0}, false},
		{[]string{"*@main"}, []int{0, 4}, false},
		{[]string{"mirror/app@release-*"}, []int{1, 2}, false},
		{[]string{"mirror/sub/app@refs/*"}, []int{3}, false},
		{[]string{"mirror/app@Main"}, nil, true}, // branches are told apart by case
		{[]string{"mirror/app"}, nil, false},
		{[]string{"mirror/(app)@[m]ain"}, nil, false}, // no destination, and no pattern
	} {
		s := newSelection(tt.names)
		var got []int
		for i, destination := range all {
			if s.has(destination) {
				got = append(got, i)
			}
		}
		require.Equal(t, tt.want, got, "%q", tt.names)
		require.Equal(t, tt.exact, s.exact(), "%q", tt.names)
	}
}

// However many are named, a plan takes a bounded number at a time.
func TestSelectionInChunks(t *testing.T) {
	t.Parallel()
	require.Equal(t, [][]string{nil}, slices.Collect(newSelection([]string{"*"}).chunks()), "all")
	names := slices.Repeat([]string{"g/a@main"}, contract.MaxOnly+1)
	chunks := slices.Collect(newSelection(names).chunks())
	require.Len(t, chunks, 2)
	require.Len(t, chunks[1], 1)
}

func TestNearestName(t *testing.T) {
	t.Parallel()
	all := []syncStatus{{Destination: "bucket", Side: true}, {Destination: "mirror/app@main"}, {Destination: "other/tool@main"}}
	for name, want := range map[string]string{"mirror/ap@main": "mirror/app@main", "Tool": "other/tool@main", "mirror/app": "mirror/app@main"} {
		require.Equal(t, want, nearest(name, all))
	}
}
