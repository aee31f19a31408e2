package chain

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
)

// GitLab and Gitea do not tell two spellings of a project apart: two chains would move its branch to and fro.
func TestSpellingsAreOneDestination(t *testing.T) {
	spelled := func(o object.Stored) object.Stored {
		o.Destination.Group, o.Destination.Name = "Platform", "ROUTER"
		o.Key = "spelled-" + o.Commit
		return o
	}
	old := []object.Stored{stored("", "a", 9, 0), stored("a", "b", 1, 1)}

	chains := Build(append(old, spelled(stored("", "b", 9, 2))))
	require.Len(t, chains, 1)
	c := chains[spelled(stored("", "b", 9, 2)).Destination]
	require.Equal(t, []string{"spelled-b"}, nameOf(c.Objects))
	require.Equal(t, []string{"a-b", "-a"}, nameOf(c.Superseded))

	c = Build(append(old, spelled(stored("b", "c", 1, 2))))[spelled(stored("", "c", 1, 2)).Destination]
	require.Equal(t, "b", c.MissingBase, "an increment does not build on what is signed for another name")
	require.Empty(t, c.Superseded)
}

func TestBranchesThatDifferInCaseAreNot(t *testing.T) {
	other := stored("", "a", 1, 0)
	other.Destination.Branch = "Main"
	require.Len(t, Build([]object.Stored{stored("", "a", 1, 0), other}), 2)
}
