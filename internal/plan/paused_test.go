package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// However many syncs are paused, and whatever is known of them, a page says so within its bounds, and none of them moves or fails.
func TestPausedSyncsAreNeitherMovedNorFailing(t *testing.T) {
	t.Parallel()
	const paused = maxPaused + 3
	planner := PushPlanner{Allow: project.AllowAll(), Chains: map[project.Branch]chain.Chain{}}
	var pauses []fleet.Pause
	heads, states := map[project.Branch]Head{}, []Head{
		{}, {Commit: a}, {Commit: b}, {NotQueried: true, Unreachable: true, Err: errors.New("no time")}, {Unreachable: true, Err: errors.New("down")},
	}
	for i := range paused {
		branch := project.Branch{Group: "G", Name: "N", Branch: fmt.Sprintf("%03d", i)}
		planner.Chains[branch] = bucket(map[project.Branch][]string{branch: {b}})[branch]
		heads[branch] = states[i%len(states)]
		pauses = append(pauses, fleet.Pause{Destination: strings.ToLower(branch.String()), Until: time.Unix(1, 0)})
	}
	pauses = append(pauses, fleet.Pause{Destination: "not one"})
	for _, detail := range []bool{false, true} {
		planner.Detail = detail
		candidates := planner.Candidates()
		Apply(NewPauses(pauses), candidates)
		for _, c := range candidates {
			require.False(t, c.NeedsMove(heads[c.Destination]) || c.Heals(heads[c.Destination]))
			require.Zero(t, c.JSONSize(heads[c.Destination]))
		}
		page := NewPage[Push](PageRequest{Detail: detail})
		require.Equal(t, paused, page.Add(candidates, heads, nil, day))
		finished := page.Finish(0)
		require.Equal(t, []int{paused, 0, 0, 0, 0, maxPaused, 3}, []int{
			finished.Checked, finished.UpToDate, len(finished.Moves), finished.Count(), len(finished.InSync) + len(finished.Waiting), len(finished.Paused), finished.PausedMore,
		})
		for _, look := range page.Looks() {
			require.Empty(t, look.Failure)
			require.NoError(t, look.Head.Err)
			require.Equal(t, look.Head.Commit == a, look.Moves)
		}
		require.Len(t, page.Looks(), 2*paused/len(states)+1)
	}
}

// What fails is not said of a paused sync, but that it is not there.
func TestFailuresOfPausedSyncs(t *testing.T) {
	t.Parallel()
	pauses := NewPauses([]fleet.Pause{{Destination: "g/n@main"}, {Destination: "g/n@gone"}})
	page := NewPage[Push](PageRequest{})
	page.FailOrPause([]Failure{
		{Subject: "G/n@main", Kind: KindNotAllowed}, {Subject: "g/n@main", Kind: KindInvalidSync}, {Subject: "g/n@gone", Kind: KindNotConfigured},
		{Subject: "g/n@other", Kind: KindNotAllowed}, {Subject: "bucket", Kind: KindPruneRefused},
	}, pauses)
	require.Equal(t, []fleet.Pause{{Destination: "g/n@main"}}, page.Paused, "once")
	require.Equal(t, 3, page.Count())
}
