package plan

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// What is not this producer's is replaced by a snapshot, whether the source has moved or not, and nothing builds on it. What is not
// known stays as it is, but what builds on it is not known either.
func TestUploadsGoByTrust(t *testing.T) {
	t.Parallel()
	madeAfter := time.Unix(1000, 0)
	moved, still := Head{Commit: c}, Head{Commit: b}
	for name, test := range map[string]struct {
		trust  Trust
		head   Head
		reason string // empty if nothing is due
		base   string
		known  bool // the base is
		heals  bool
	}{
		"known":               {Trust{Known: true, MadeAfter: madeAfter}, still, "", "", false, false},
		"known, moved":        {Trust{Known: true, MadeAfter: madeAfter}, moved, "source moved from bbbbbbb to ccccccc: increment on bbbbbbb", b, true, false},
		"not known":           {Trust{}, still, "", "", false, false},
		"not known, moved":    {Trust{}, moved, "source moved from bbbbbbb to ccccccc: increment on bbbbbbb", b, false, false},
		"to be healed":        {Trust{Heal: "it is not ours", MadeAfter: madeAfter}, still, "source is at bbbbbbb, but it is not ours: snapshot", "", false, true},
		"to be healed, moved": {Trust{Heal: "it is not ours", MadeAfter: madeAfter}, moved, "source moved from bbbbbbb to ccccccc, it is not ours: snapshot", "", false, false},
		"to be healed, gone":  {Trust{Heal: "it is not ours"}, Head{}, "the source branch does not exist", "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sync("router", "main")
			p := UploadPlanner{Syncs: []project.Sync{s}, Chains: bucket(map[project.Branch][]string{s.Destination: {a, b}})}
			p.Trust = func(b project.Branch, asked chain.Chain) Trust {
				require.Equal(t, s.Destination, b)
				require.Equal(t, p.Chains[s.Destination], asked)
				return test.trust
			}
			candidates, _ := p.Candidates()
			require.Equal(t, test.heals, candidates[0].Heals(test.head))
			moves := planUploads(p, map[project.Branch]Head{s.Source: test.head}).Moves
			if test.reason == "" {
				require.Empty(t, moves)
				return
			}
			require.Equal(t, test.reason, moves[0].Reason)
			require.Equal(t, test.base, moves[0].Base)
			require.Equal(t, test.trust.MadeAfter, moves[0].MadeAfter)
			want := ""
			if test.known {
				want = chain.Hash(p.Chains[s.Destination].Objects)
			}
			require.Equal(t, want, moves[0].BaseChain)
		})
	}
}

// Snapshots that only heal take no more than a part of a cycle; those of sources that have moved are not held up, and the others are told.
func TestHealingIsBounded(t *testing.T) {
	t.Parallel()
	const branches = 50
	p := UploadPlanner{Trust: func(project.Branch, chain.Chain) Trust { return Trust{Heal: "it is not ours"} }}
	objects, heads := map[project.Branch][]string{}, map[project.Branch]Head{}
	for i := range branches {
		s := sync(fmt.Sprintf("p%02d", i), "main")
		p.Syncs, objects[s.Destination] = append(p.Syncs, s), []string{a}
		heads[s.Source] = Head{Commit: a}
		if i%10 == 0 {
			heads[s.Source] = Head{Commit: b}
		}
	}
	p.Chains = bucket(objects)
	page := planUploads(p, heads)
	require.Len(t, page.Moves, maxHealed+5)
	require.Equal(t, branches-maxHealed-5, page.UpToDate)
	require.Equal(t, branches, page.Checked)
	require.Contains(t, page.Warning, "25 more destinations have other objects in the bucket than were uploaded")
	require.Contains(t, page.Warning, "20 in each")

	p.Detail = true
	page = planUploads(p, heads)
	require.Len(t, page.InSync, 25)
	require.Equal(t, "in one of the next cycles: source is at aaaaaaa, but it is not ours: snapshot", page.InSync[0].Reason)
}
