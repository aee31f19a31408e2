package activities

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// Whoever may push to a destination may put any number of refs where a set's own refs are, and beside its refs. Few of
// them are kept in memory.
func TestRefsThatAreNotTheSetsAreBounded(t *testing.T) {
	t.Parallel()
	set := project.Branch{Group: "mirror", Name: "router", Branch: "refs/heads/*"}
	d := destination{
		branch: set, unwanted: map[string]string{}, guard: replayGuard{enabled: true, prefix: appliedRefPrefix(set)},
		set: &setRefs{set: set, at: map[string]string{}, put: map[string]string{}, others: map[string]string{}},
	}
	for i := range maxShadows + 100 {
		for _, name := range []string{"refs/heads/.%d", shadowOf("refs/heads/%d"), shadowOf("refs/heads/.%d"), setFolder(set) + "%d", setNotePrefix(set, time.Unix(1, 0), noteSettings{}) + "%040d"} {
			d.addSetRef(smarthttp.Ref{Name: fmt.Sprintf(name, i), Object: aCommit}, time.Now())
		}
	}
	require.Empty(t, d.set.at)
	require.Len(t, d.set.others, maxUnwanted)
	require.Len(t, d.set.put, maxShadows)
	require.Len(t, d.unwanted, maxUnwanted)
	require.Len(t, d.guard.objects, maxObjectNotes)
}
