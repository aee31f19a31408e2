package activities

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// wouldPush are what a dry run of the consumer would say of the set, and the destination's refs stay as they are.
func (r *setRig) wouldPush() []string {
	r.Helper()
	before := r.destinationRefs()
	changes, err := r.consumer.pushChanges(r.Context(), r.planSet())
	require.NoError(r, err)
	require.Equal(r, before, r.destinationRefs())
	return changes.Describe(true)
}

// A dry run tells what a push does then.
func TestPushChanges(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/*", "refs/*")
	first := plan.Short(r.commitOn("main", random(1000)))
	r.atSource("branch", "old", "main")
	r.atSource("tag", "v1", "main")
	r.produceSet()
	require.Equal(t, []string{
		"refs: 3 to create", "create refs/heads/main at " + first, "create refs/heads/old at " + first, "create refs/tags/v1 at " + first,
	}, r.wouldPush())
	require.Contains(t, r.consumeSet().Summary, "2 branches new, 1 tag new")
	require.Equal(t, []string{"refs: none would change"}, r.wouldPush())

	r.atDestination("branch", "theirs", "main")
	r.atDestination("branch", "blocked", "main")
	second := plan.Short(r.commitOn("main", "two"))
	r.atSource("branch", "-D", "old")
	r.atSource("tag", "v2", "main")
	r.atSource("branch", "blocked/here", "main")
	r.produceSet()
	require.Equal(t, []string{
		"refs: 1 to create, 1 to move, 1 to delete, 1 refused",
		"refuse refs/heads/blocked/here: refs/heads/blocked is there, and stands in the way of the name",
		"delete refs/heads/old, at " + first, "move refs/heads/main from " + first + " to " + second, "create refs/tags/v2 at " + second,
	}, r.wouldPush())
	require.Contains(t, fails(r.rig, "RefsRefused", r.push, r.decrypted()), "1 tag new, 1 branch moved, 1 branch deleted")
}

// What stays although it has gone is told with the reason.
func TestPushChangesNameWhatStays(t *testing.T) {
	t.Parallel()
	for why, set := range map[string]func(c *Consumer){
		"12 of 22 refs that were put there have gone from the source at once (DELETE_REFS_MAX_SHARE)": func(c *Consumer) { c.MaxDeletedShare = 0.4 },
		"DELETE_REFS=false":                        func(c *Consumer) { c.DeleteRefs = false },
		"PUSH_POLICY=fast-forward deletes nothing": func(c *Consumer) { c.FastForwardOnly = true },
		"": func(*Consumer) {},
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			r := newSetPushRig(t, "refs/*", "refs/*")
			r.commitOn("main", random(1000))
			r.commitOn("default", "one")
			r.manyTags(20)
			r.produceSet()
			r.consumeSet()
			r.atDestination("symbolic-ref", "HEAD", "refs/heads/default")
			r.atSource("branch", "-D", "default")
			for i := range 11 {
				r.atSource("tag", "-d", fmt.Sprintf("t%02d", i))
			}
			main, tag := plan.Short(r.put[1].Object), plan.Short(r.put[2].Object)
			moved := plan.Short(r.commitOn("main", "two"))
			r.atSource("tag", "--force", "t19", "main")
			r.produceSet()
			set(r.consumer)
			lines := r.wouldPush()
			move, moveTag := "move refs/heads/main from "+main+" to "+moved, "move refs/tags/t19 from "+tag+" to "+moved
			switch {
			case why == "":
				require.Equal(t, "refs: 2 to move, 11 to delete, 1 to keep", lines[0])
				require.Equal(t, "keep refs/heads/default, at "+plan.Short(r.destinationRefs()[0].Object)+": it is the destination's default branch", lines[1])
				require.Equal(t, "delete refs/tags/t00, at "+tag, lines[2])
			case r.consumer.FastForwardOnly:
				move += ": if that is a fast-forward"
				require.Equal(t, "refs: 1 to move, 12 to keep, 1 refused", lines[0])
				require.Equal(t, "refuse refs/tags/t19 from "+tag+" to "+moved+": not a fast-forward: a tag that is there does not move", lines[1])
			default:
				require.Contains(t, lines, "keep refs/tags/t10, at "+tag+": "+why)
			}
			require.Contains(t, lines, move)
			if !r.consumer.FastForwardOnly {
				require.Contains(t, lines, moveTag)
			}
		})
	}
}

// What is known of a set is told by a plan that is only shown, whole where no history has to hold it; what cannot be read is
// said in its place.
func TestPlanListsChanges(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/*", "refs/*")
	tip := plan.Short(r.commitOn("main", random(1000)))
	r.manyTags(25)
	id := r.produceSet()
	destination := r.sync.Destination.String()
	shown := func(request plan.PageRequest) plan.Page[plan.Push] {
		page, err := r.consumer.PlanPushes(r.Context(), PlanRequest{PageRequest: request})
		require.NoError(t, err)
		require.Len(t, page.Moves, 1)
		return page
	}
	require.Empty(t, shown(plan.PageRequest{}).Changes)
	lines := shown(plan.PageRequest{Detail: true}).Changes[destination]
	require.Len(t, lines, 22)
	require.Equal(t, "refs: 26 to create", lines[0])
	require.Equal(t, "create refs/heads/main at "+tip, lines[1])
	require.Equal(t, "... and 6 more", lines[21])
	require.Len(t, shown(plan.PageRequest{Detail: true, AllChanges: true}).Changes[destination], 27)
	require.Empty(t, r.destinationRefs())

	key, err := id.Key()
	require.NoError(t, err)
	r.rig.put(key, []byte("forged"))
	page := shown(plan.PageRequest{Detail: true})
	require.Empty(t, page.Failed)
	require.Len(t, page.Changes[destination], 1)
	require.Contains(t, page.Changes[destination][0], "which refs would change is not known: object ")
}

func TestSetCreatesItsProject(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/*", "refs/*")
	r.destination, r.consumer.Destination = r.git("mirror/platform/other", gitserver.WithPushToCreate(gitserver.OnPush))
	r.consumer.CreateProjects = true
	r.commitOn("main", random(1000))
	r.atSource("tag", "v1", "main")
	r.produceSet()
	changes, err := r.consumer.pushChanges(t.Context(), r.planSet())
	require.NoError(t, err)
	require.Equal(t, "refs: 2 to create", changes.Describe(true)[0])
	pushed := r.consumeSet()
	require.Contains(t, pushed.Summary, "1 branch new, 1 tag new")
	r.mirrored()
}
