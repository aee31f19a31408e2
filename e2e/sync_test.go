package e2e_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

func TestEveryBranchArrives(test *testing.T) {
	test.Parallel()
	t := begin(test)
	configure(t,
		[2]string{"sync/a/app@main", "mirror/sync/a/app@main"},
		[2]string{"sync/a/app@release/1.0", "mirror/sync/a/app@release/1.0"}, // from one project, and to one
		[2]string{"sync/b/app@main", "mirror/sync/b/app@main"},               // of the same name
	)
	commit(t, "sync/a/app@main")
	commit(t, "sync/a/app@release/1.0")
	commit(t, "sync/b/app@main")
	create(t, t.Destination, "mirror/sync/a/app", "mirror/sync/b/app")

	require.Contains(t, cycle(t, stack.Producer), "3 checked, 0 up to date, 3 synced, 0 failed")
	require.Contains(t, cycle(t, stack.Consumer), "3 checked, 0 up to date, 3 synced, 0 failed")
	requireInSync(t, 3)

	commit(t, "sync/a/app@main")
	require.Contains(t, cycle(t, stack.Producer), "3 checked, 2 up to date, 1 synced, 0 failed")
	require.Contains(t, cycle(t, stack.Consumer), "3 checked, 2 up to date, 1 synced, 0 failed")
	requireInSync(t, 3)

	require.Contains(t, cycle(t, stack.Producer), "3 checked, 3 up to date, 0 synced, 0 failed")
	require.Contains(t, cycle(t, stack.Consumer), "3 checked, 3 up to date, 0 synced, 0 failed")
}

func TestRewrittenBranchArrives(test *testing.T) {
	test.Parallel()
	t := begin(test)
	configure(t, [2]string{"rewrite/app@main", "mirror/rewrite/app@main"})
	first := commit(t, "rewrite/app@main")
	commit(t, "rewrite/app@main")
	create(t, t.Destination, "mirror/rewrite/app")
	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)

	_, err := t.Source.Git(t.Context(), "rewrite/app", "update-ref", "refs/heads/main", first)
	require.NoError(t, err)
	commit(t, "rewrite/app@main")
	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)
	requireInSync(t, 1)
}

func TestPrune(test *testing.T) {
	test.Parallel()
	t := begin(test)
	b := t.bucket
	all := [][2]string{
		{"prune/a@main", "mirror/prune/a@main"},
		{"prune/b@main", "mirror/prune/b@main"},
		{"prune/c@main", "mirror/prune/c@main"},
	}
	for _, pair := range all {
		commit(t, pair[0])
	}
	configure(t, all...)
	cycle(t, stack.Producer)
	before := keys(t, b)
	require.Len(t, before, 3)

	configure(t)
	require.Contains(t, failingCycle(t, stack.Producer), "no sync is configured: the objects of all 3 destinations are kept")
	configure(t, all[0])
	require.Contains(t, failingCycle(t, stack.Producer), "2 of 3 destinations in the bucket are no longer configured")
	require.Equal(t, before, keys(t, b))

	configure(t, all[:2]...)
	out := cycle(t, stack.Producer)
	after := keys(t, b)
	require.Len(t, after, 2)
	require.Subset(t, before, after)
	require.True(t, containsLine(out, "deleted 1 object of mirror/prune/c@main"), out)
}

func TestDryRun(test *testing.T) {
	test.Parallel()
	t := begin(test)
	b := t.bucket
	configure(t, [2]string{"dry/app@main", "mirror/dry/app@main"})
	commit(t, "dry/app@main")
	create(t, t.Destination, "mirror/dry/app")

	out, err := t.Starter(t.Context(), stack.Producer, "-dry-run")
	require.NoError(t, err, out)
	require.Contains(t, out, "would upload mirror/dry/app@main: nothing in the bucket yet: snapshot\n")
	require.Empty(t, keys(t, b))

	cycle(t, stack.Producer)
	out, err = t.Starter(t.Context(), stack.Consumer, "-dry-run")
	require.NoError(t, err, out)
	require.Contains(t, out, "would push mirror/dry/app@main: the branch does not exist yet: create it at ")
	heads, err := t.Destination.Heads(context.Background(), "mirror/dry/app")
	require.NoError(t, err)
	require.Empty(t, heads)
}
