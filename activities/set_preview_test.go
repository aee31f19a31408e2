package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// A dry run names the refs that would change, and changes none.
func TestPlanNamesTheRefsOfSets(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/*", "refs/*")
	r.commitOn("main", random(1000))
	r.manyTags(25)
	r.produceSet()
	shown := func() string {
		t.Helper()
		page := must(r.rig, r.consumer.PlanPushes, PlanRequest{PageRequest: plan.PageRequest{Detail: true}})
		require.Len(t, page.Moves, 1)
		return page.Moves[0].Reason
	}
	require.Regexp(t, `would create 26: "refs/heads/main", "refs/tags/t00", .*, and 6 more$`, shown())
	require.Empty(t, r.destinationRefs())
	r.consumeSet()
	r.commitOn("main", "two")
	r.atSource("tag", "-d", "t00")
	r.produceSet()
	require.Contains(t, shown(), `would move 1: "refs/heads/main"; delete 1: "refs/tags/t00"`)
}

func TestSetCreatesItsProject(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/*", "refs/*")
	r.destination, r.consumer.Destination = r.git("mirror/platform/other", gitserver.WithPushToCreate(gitserver.OnPush))
	r.consumer.CreateProjects = true
	r.commitOn("main", random(1000))
	r.atSource("tag", "v1", "main")
	r.produceSet()
	pushed := r.consumeSet()
	require.Contains(t, pushed.Summary, "1 branch new, 1 tag new")
	r.mirrored()
}
