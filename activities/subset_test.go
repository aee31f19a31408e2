package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// A plan of some destinations looks at these, and says nothing of what else is in the bucket or configured.
func TestPlansOfSomeDestinations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	second := r.sync
	second.Destination.Branch = "second"
	r.commit("1")
	r.producer.Syncs = &listed{syncs: []project.Sync{r.sync, second}}
	r.produce()
	r.put("junk", []byte("x"))
	r.producer.Syncs = &listed{syncs: []project.Sync{r.sync}} // the second one has left, for long
	r.producer.Retention = plan.Retention{MaxShare: 1}
	r.commit("2")
	require.NotEmpty(t, must(r, r.producer.PlanUploads, PlanRequest{}).Failed)
	require.NotEmpty(t, must(r, r.producer.PlanUploads, PlanRequest{}).Orphans.Due)

	nobody := project.Branch{Group: "mirror", Name: "nobody", Branch: "main"}
	spelled := project.Branch{Group: "Mirror/platform", Name: "ROUTER", Branch: "stable"}
	for name, only := range map[string][]project.Branch{"known": {spelled}, "one is not": {spelled, nobody}} {
		uploads := must(r, r.producer.PlanUploads, PlanRequest{Only: only})
		require.Len(t, uploads.Moves, 1, name)
		require.Equal(t, r.sync, uploads.Moves[0].Sync)
		require.NotEmpty(t, uploads.Moves[0].Base, "it knows the chain")
		require.Empty(t, uploads.Orphans)
		require.Zero(t, uploads.Superseded)
		pushes := must(r, r.consumer.PlanPushes, PlanRequest{Only: only})
		require.Len(t, pushes.Moves, 1, name)
		require.Equal(t, r.sync.Destination, pushes.Moves[0].Destination)
		for _, failures := range []plan.Failures{uploads.Failures, pushes.Failures} {
			if len(only) == 1 {
				require.Zero(t, failures.Count())
				continue
			}
			require.Equal(t, nobody.String(), failures.Failed[0].Subject)
			require.Equal(t, plan.KindNotConfigured, failures.Failed[0].Kind)
			require.Contains(t, failures.Failed[0].Reason, "\nCheck the destination's name")
			require.Equal(t, 1, failures.Count())
		}
		require.Equal(t, len(only), uploads.Checked)
		require.Equal(t, len(only), pushes.Checked)
	}
	_, err := execute(r, r.consumer.PlanPushes, PlanRequest{Only: []project.Branch{nobody}})
	require.NoError(t, err)
}

// Another destination of the same project may keep a named one back, on the consumer's later pages, too.
func TestPlansOfSomeSeeWhatOverlaps(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	set := project.Sync{Source: r.sync.Source, Destination: r.sync.Destination}
	set.Source.Branch, set.Destination.Branch = "refs/heads/*", "refs/heads/*"
	r.commit("1")
	r.produce()
	time.Sleep(time.Second) // the store's clock has seconds
	r.producer.Syncs = &listed{syncs: []project.Sync{set}}
	r.produce()
	for _, after := range []bool{false, true} {
		request := PlanRequest{Only: []project.Branch{r.sync.Destination}}
		if after {
			request.After = request.Order.Position(r.sync.Destination) - 1
		}
		page := must(r, r.consumer.PlanPushes, request)
		require.Empty(t, page.Moves)
		require.Equal(t, 1, page.UpToDate)
	}
	page := must(r, r.consumer.PlanPushes, PlanRequest{Only: []project.Branch{set.Destination}})
	require.Len(t, page.Moves, 1)
}
