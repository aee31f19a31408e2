package contract

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each list has its first entries, and the number of all others, however short or long they are.
func TestListsAreBounded(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		entry  string
		listed int
	}{"short": {"a", maxListEntries}, "long": {strings.Repeat("<", 1000), 10}} {
		for what, add := range map[string]func(*Report, string){"synced": (*Report).AddSynced, "running": (*Report).AddRunning, "objects": (*Report).AddPruned} {
			var r Report
			for range 1000 {
				add(&r, tt.entry)
			}
			require.Equal(t, tt.listed, len(r.Synced)+len(r.Running)+len(r.Pruned), name)
			require.Equal(t, 1000-tt.listed, r.SyncedMore+r.RunningMore+r.PrunedMore, name)
			require.Regexp(t, fmt.Sprintf(`\b1000 \w*\s?%s`, what), r.String())
			text, err := json.Marshal(r)
			require.NoError(t, err)
			require.Less(t, len(text), maxListSize+200)
		}
	}
}
