package plan

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// Where only single branches and tags are moved, a sync of a set fails with that, nothing is planned or deleted for it, and
// objects of sets are not pushed.
func TestSetsAreRefused(t *testing.T) {
	const reason = `branch "refs/tags/*": contains '*', but a sync is of one branch (main) or of one tag (refs/tags/v1)`
	set := sync("router", "refs/tags/*")
	accepted, refused := ValidateSyncs([]project.Sync{set, sync("proxy", "main")})
	require.Equal(t, []project.Sync{sync("proxy", "main")}, accepted)
	require.Equal(t, []Failure{{Subject: "dst/router@refs/tags/*", Kind: KindInvalidSync, Reason: "source: " + reason}}, refused)

	chains := bucket(map[project.Branch][]string{set.Destination: {a, b}, destination("gone", "main"): {a}})
	_, doubtful := findAbsent([]project.Sync{set}, chains)
	require.True(t, doubtful, "an entry that cannot be followed may mean any object")

	pushes := planPushes(PushPlanner{Allow: project.AllowAll(), Chains: chains}, map[project.Branch]Head{set.Destination: {Commit: a}, destination("gone", "main"): {Commit: a}})
	require.Empty(t, pushes.Moves)
	require.Equal(t, []Failure{{Subject: "dst/router@refs/tags/*", Kind: KindInvalidSync, Reason: reason}}, pushes.Failed)
}
