package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDescribeChanges(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a", 40), strings.Repeat("b", 40)
	created := func(n int) (changes []RefChange) {
		for i := range n {
			changes = append(changes, RefChange{Effect: RefCreated, Ref: fmt.Sprintf("refs/tags/v%02d", i), New: a})
		}
		return changes
	}
	tests := map[string]struct {
		changes RefChanges
		all     bool
		want    []string
	}{
		"none": {RefChanges{}, false, []string{"refs: none would change"}},
		"what a person wants to know first": {
			RefChanges{Note: "1 left out", Changes: []RefChange{
				{Effect: RefCreated, Ref: "refs/tags/b", New: a}, {Effect: RefCreated, Ref: "refs/tags/a", New: a},
				{Effect: RefUploaded, Ref: "refs/tags/c", New: a}, {Effect: RefMoved, Ref: "refs/heads/m", Old: a, New: b, Why: "if it may"},
				{Effect: RefDeleted, Ref: "refs/heads/d", Old: a}, {Effect: RefKept, Ref: "refs/heads/k", Old: a, Why: "no"},
				{Effect: RefRefused, Ref: "refs/heads/r\x1b[2J", Why: "in the\nway"},
			}},
			false,
			[]string{
				"refs: 1 to upload, 2 to create, 1 to move, 1 to delete, 1 to keep, 1 refused; 1 left out",
				"refuse refs/heads/r: in the way", "keep refs/heads/k, at aaaaaaa: no", "delete refs/heads/d, at aaaaaaa",
				"move refs/heads/m from aaaaaaa to bbbbbbb: if it may", "create refs/tags/a at aaaaaaa", "create refs/tags/b at aaaaaaa", "upload refs/tags/c at aaaaaaa",
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, tt.changes.Describe(tt.all))
		})
	}
	for n, named := range map[int]int{20: 20, 21: 20, 50: 20} {
		some, all := RefChanges{Changes: created(n)}.Describe(false), RefChanges{Changes: created(n)}.Describe(true)
		require.Equal(t, some[:named+1], all[:named+1])
		require.Len(t, all, n+1)
		if n > named {
			require.Equal(t, []string{fmt.Sprintf("... and %d more", n-named)}, some[named+1:])
		}
	}
}

// What a history holds is bounded, however many sets move and however long their refs' names are. What a terminal alone gets
// is not.
func TestChangesOfAPageAreBounded(t *testing.T) {
	t.Parallel()
	lines := make([]string, 20)
	for i := range lines {
		lines[i] = "create refs/tags/" + strings.Repeat("ü", 120)
	}
	for all, bounded := range map[bool]bool{false: true, true: false} {
		page := NewPage[Push](PageRequest{Detail: true, AllChanges: all})
		for i := range DefaultPageSize {
			page.AddChanges(fmt.Sprintf("group/name%d@refs/*", i), lines)
		}
		text, err := json.Marshal(page.Finish(0))
		require.NoError(t, err)
		require.Equal(t, bounded, len(text) < maxChangesSize+DefaultPageSize*64)
		require.Equal(t, bounded, strings.Contains(string(text), "... no room for more"))
		require.Equal(t, lines, page.Changes["group/name0@refs/*"])
		require.Len(t, page.Changes, DefaultPageSize)
	}
}
