package e2e_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// refs are a repository's branches and tags, each with its object.
func refs(t sides, server *stack.GitServer, repo string) string {
	t.Helper()
	out, err := server.Git(t.Context(), repo, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags")
	require.NoError(t, err)
	return out
}

func requireSameRefs(t sides, repo string) {
	t.Helper()
	require.Equal(t, refs(t, t.Source, repo), refs(t, t.Destination, "mirror/"+repo))
}

func atSource(t sides, repo string, args ...string) {
	t.Helper()
	_, err := t.Source.Git(t.Context(), repo, args...)
	require.NoError(t, err)
}

// Branches become a set of refs and are named one by one again, and neither's objects stand in the way of the other's: not
// even where a branch is again where it was before there was a set, and not at a destination that starts anew.
func TestBranchesBecomeASetAndBranchesAgain(test *testing.T) {
	test.Parallel()
	t := begin(test)
	const repo = "changes/app"
	both := [][2]string{{repo + "@main", "mirror/" + repo + "@main"}, {repo + "@next", "mirror/" + repo + "@next"}}
	first := commit(t, repo+"@main")
	commit(t, repo+"@next")
	create(t, t.Destination, "mirror/"+repo)
	sync := func(synced int) {
		t.Helper()
		cycle(t, stack.Producer)
		require.Contains(t, cycle(t, stack.Consumer), fmt.Sprintf("%d synced, 0 failed", synced))
		requireSameRefs(t, repo)
		cycle(t, stack.Producer)
		require.Contains(t, cycle(t, stack.Consumer), "0 synced, 0 failed")
	}
	configure(t, both...)
	sync(2)

	configure(t, [2]string{repo + "@*", "mirror/" + repo + "@*"})
	commit(t, repo+"@main")
	sync(1)

	atSource(t, repo, "update-ref", "refs/heads/main", first)
	configure(t, both...)
	sync(2)

	_, err := t.Destination.Git(t.Context(), "mirror/"+repo, "update-ref", "-d", "refs/heads/next")
	require.NoError(t, err)
	sync(1)
}

// What stays while deletions are off is deleted when they are on again, by the next cycle.
func TestDeletionsAreSwitchedOffAndOn(test *testing.T) {
	test.Parallel()
	t := begin(test)
	const repo = "deletions/app"
	commit(t, repo+"@main")
	for i := range 4 {
		atSource(t, repo, "tag", fmt.Sprintf("v%d", i), "main")
	}
	create(t, t.Destination, "mirror/"+repo)
	configure(t, [2]string{repo + "@refs/*", "mirror/" + repo + "@refs/*"})
	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)
	requireSameRefs(t, repo)
	before := refs(t, t.Source, repo)

	restarted(t, stack.Consumer, "DELETE_REFS=false")
	atSource(t, repo, "tag", "-d", "v0", "v1", "v2")
	cycle(t, stack.Producer)
	require.Contains(t, cycle(t, stack.Consumer), "1 synced, 0 failed")
	var pushed activities.Pushed
	require.NoError(t, t.Temporal.Clients[stack.Consumer].GetWorkflow(t.Context(), "consume/mirror/"+repo+"@refs/*", "").Get(t.Context(), &pushed))
	require.Contains(t, pushed.Warning, "3 refs that have gone at the source stay: DELETE_REFS=false")
	require.Equal(t, before, refs(t, t.Destination, "mirror/"+repo))
	require.Contains(t, cycle(t, stack.Consumer), "1 up to date, 0 synced, 0 failed")

	restarted(t, stack.Consumer)
	require.Contains(t, cycle(t, stack.Consumer), "0 up to date, 1 synced, 0 failed")
	requireSameRefs(t, repo)
	require.Contains(t, cycle(t, stack.Consumer), "1 up to date, 0 synced, 0 failed")
}

// A producer with a new key cannot read what it has uploaded of a set before: it uploads a snapshot, and nothing is lost.
func TestSigningKeyIsRotated(test *testing.T) {
	test.Parallel()
	t := begin(test)
	const repo = "rotated/app"
	commit(t, repo+"@main")
	create(t, t.Destination, "mirror/"+repo)
	configure(t, [2]string{repo + "@refs/*", "mirror/" + repo + "@refs/*"})
	sync := func() {
		t.Helper()
		require.Contains(t, cycle(t, stack.Producer), "1 synced, 0 failed")
		require.Contains(t, cycle(t, stack.Consumer), "1 synced, 0 failed")
		requireSameRefs(t, repo)
	}
	sync()
	signing, verify, err := sign.Generate()
	require.NoError(t, err)
	restarted(t, stack.Producer, "SIGNING_KEY="+signing)
	restarted(t, stack.Consumer, "VERIFY_KEYS="+verify)
	require.Len(t, keys(t, t.bucket), 1)
	for i := range 2 {
		commit(t, repo+"@main")
		atSource(t, repo, "tag", fmt.Sprintf("v%d", i), "main")
		sync()
	}
	require.Contains(t, cycle(t, stack.Producer), "1 up to date, 0 synced, 0 failed")
	require.Contains(t, cycle(t, stack.Consumer), "1 up to date, 0 synced, 0 failed")
}
