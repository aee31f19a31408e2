package activities

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// A chain that a newer one of the same project covers is not pushed, though an earlier page had the newer one.
func TestCoverOfAnEarlierPage(t *testing.T) {
	t.Parallel()
	var order turn.Order
	main, set := project.Branch{Group: "g", Branch: "main"}, project.Branch{Group: "g", Branch: "refs/heads/*"}
	for i := 0; i == 0 || order.Position(set) > order.Position(main); i++ {
		main.Name, set.Name = fmt.Sprint("p", i), fmt.Sprint("p", i)
	}
	b := fullBucket(t, 2, func(i int) string {
		key, err := object.ID{Destination: []project.Branch{main, set}[i], Commit: strings.Repeat("a", 40)}.Key()
		require.NoError(t, err)
		return key
	})
	part := plan.PageRequest{Order: order, After: order.Position(set)}
	candidates := func(beside bool) []plan.Candidate[plan.Push] {
		held, err := readBucket(t.Context(), b, selection{order: part.Order, after: part.After, allow: project.AllowAll(), beside: func(object.Stored) bool { return beside }})
		require.NoError(t, err)
		require.Len(t, held.chains, 1)
		return plan.PushPlanner{PageRequest: part, Chains: held.chains, Newest: held.newest, Allow: project.AllowAll()}.Candidates()
	}
	require.True(t, candidates(false)[0].NeedsMove(plan.Head{}))
	require.Len(t, candidates(true), 1)
	require.Equal(t, main, candidates(true)[0].Destination)
	require.False(t, candidates(true)[0].NeedsMove(plan.Head{}))
}

// What is kept of such destinations is bounded.
func TestNewestObjectsAreBounded(t *testing.T) {
	t.Parallel()
	newest := newestObjects{}
	for i := range maxBeside + 5 {
		for _, second := range []int64{2, 3, 1} {
			newest.add(object.Stored{ID: object.ID{Destination: project.Branch{Group: "G", Name: fmt.Sprint(i)}}, Modified: time.Unix(second, 0)})
		}
	}
	require.Len(t, newest, maxBeside)
	require.Equal(t, time.Unix(3, 0), newest[project.Branch{Group: "g", Name: "7"}].Modified)
}
