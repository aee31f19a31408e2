package e2e_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// annotate makes the source's tag an annotated one of what main is, or moves it there.
func annotate(t sides, repo, tag, message string) {
	t.Helper()
	_, err := t.Source.Git(t.Context(), repo, "-c", "user.name=a", "-c", "user.email=a@example.com", "tag", "--force", "--annotate", "--message", message, tag, "main")
	require.NoError(t, err)
}

func TestTagArrivesAndMoves(test *testing.T) {
	test.Parallel()
	t := begin(test)
	const branch, tag = "mirror/tags/app@main", "mirror/tags/app@refs/tags/stable"
	configure(t,
		[2]string{"tags/app@refs/heads/main", branch},
		[2]string{"tags/app@refs/tags/v1", tag},
	)
	commit(t, "tags/app@main")
	annotate(t, "tags/app", "v1", "first")
	create(t, t.Destination, "mirror/tags/app")

	dryRun := func(role stack.Role, line string) {
		t.Helper()
		out, err := t.Starter(t.Context(), role, "-dry-run")
		require.NoError(t, err, out)
		require.Contains(t, out, line)
	}
	dryRun(stack.Producer, "would upload "+tag+": nothing in the bucket yet: snapshot\n")
	require.Contains(t, cycle(t, stack.Producer), "2 checked, 0 up to date, 2 synced, 0 failed")
	dryRun(stack.Consumer, "would push "+tag+": the tag does not exist yet: create it at ")
	require.Contains(t, cycle(t, stack.Consumer), "2 checked, 0 up to date, 2 synced, 0 failed")
	requireInSync(t, 2)

	annotate(t, "tags/app", "v1", "second")
	require.Contains(t, cycle(t, stack.Producer), "2 checked, 1 up to date, 1 synced, 0 failed")
	require.Contains(t, cycle(t, stack.Consumer), "2 checked, 1 up to date, 1 synced, 0 failed")
	requireInSync(t, 2)
	for _, role := range []stack.Role{stack.Producer, stack.Consumer} {
		require.Contains(t, cycle(t, role), "2 checked, 2 up to date, 0 synced, 0 failed")
		out, err := t.Starter(t.Context(), role, "status")
		require.NoError(t, err, out)
		require.Regexp(t, `(?m)^in sync .*  `+tag+`$`, out)
	}
}

// One ref has one sync, whatever it is called, and a sync has one ref.
func TestRefsThatAreRefused(test *testing.T) {
	test.Parallel()
	t := begin(test)
	configure(t,
		[2]string{"tags/a@main", "mirror/tags/a@main"},
		[2]string{"tags/b@main", "mirror/tags/a@refs/heads/main"},
		[2]string{"tags/c@refs/tags/*/x", "mirror/tags/c@refs/tags/*/x"},
		[2]string{"tags/d@main", "mirror/tags/d@refs/tags/main"},
		[2]string{"tags/e@refs/merge-requests/1/head", "mirror/tags/e@refs/merge-requests/1/head"},
	)
	out := failingCycle(t, stack.Producer)
	for _, line := range []string{
		"failed mirror/tags/a@main: 2 syncs have this destination (case does not count in group and project); this one has the source tags/a@main",
		"failed mirror/tags/a@main: 2 syncs have this destination (case does not count in group and project); this one has the source tags/b@main",
		"failed mirror/tags/c@refs/tags/*/x: source: branch \"refs/tags/*/x\": contains '*' elsewhere than once at the end",
		"failed mirror/tags/d@refs/tags/main: the branch \"main\" cannot become the tag \"refs/tags/main\"",
		"failed mirror/tags/e@refs/merge-requests/1/head: source: branch \"refs/merge-requests/1/head\": is neither a branch (main) nor a tag (refs/tags/v1)",
	} {
		require.Contains(t, out, line)
	}
}
