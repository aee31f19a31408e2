package activities

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
)

func TestSetsOwnRefs(t *testing.T) {
	t.Parallel()
	state, modified := strings.Repeat("a", 40), time.Unix(1700000000, 5)
	for pattern, want := range map[string]struct {
		folder  string
		shadows []string
	}{
		"refs/*":               {"sets/refs/+/", []string{"put/heads/", "put/tags/"}},
		"refs/heads/*":         {"sets/refs/heads/+/", []string{"put/heads/"}},
		"refs/heads/release-*": {"sets/refs/heads/release-+/", []string{"put/heads/release-"}},
		"refs/tags/v1/*":       {"sets/refs/tags/v1/+/", []string{"put/tags/v1/"}},
	} {
		set := project.Branch{Group: "g", Name: "n", Branch: pattern}
		require.Equal(t, ownRefs+"/"+want.folder, setFolder(set))
		for i, prefix := range want.shadows {
			want.shadows[i] = ownRefs + "/" + prefix
		}
		require.Equal(t, want.shadows, shadowPrefixes(set))

		note := setNotePrefix(set, modified, noteSettings{}) + state
		require.Equal(t, setFolder(set)+"object-1700000000-"+state, note)
		require.Equal(t, state, notedState(note, setNotePrefix(set, modified, noteSettings{})))
		require.Empty(t, notedState(note, setNotePrefix(set, modified.Add(time.Second), noteSettings{})))
		require.Empty(t, notedState(note+"0", setNotePrefix(set, modified, noteSettings{})))
		require.Empty(t, notedState(setNotePrefix(set, modified, noteSettings{})+strings.Repeat("0", 40), setNotePrefix(set, modified, noteSettings{})))

		require.Equal(t, state, sentState(set, stateRef(set, state)))
		require.Empty(t, sentState(set, note))
		require.Empty(t, sentState(set, stateRef(set, state[1:])))
	}
	ref, ok := shadowed(shadowOf("refs/tags/v1/a"))
	require.True(t, ok)
	require.Equal(t, "refs/tags/v1/a", ref)
	_, ok = shadowed("refs/tags/v1")
	require.False(t, ok)
}
