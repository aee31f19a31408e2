package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// A set's sync fails as long as the destination refuses a ref of it, or too many would be deleted. All else arrives.
func TestSetIsRefusedInParts(test *testing.T) {
	test.Parallel()
	t := begin(test)
	const set = "mirror/sets/app@refs/*"
	configure(t, [2]string{"sets/app@refs/*", set})
	commit(t, "sets/app@main")
	git := func(args ...string) {
		t.Helper()
		_, err := t.Source.Git(t.Context(), "sets/app", args...)
		require.NoError(t, err)
	}
	for i := range 15 {
		git("tag", fmt.Sprint("v", i), "main")
	}
	create(t, t.Destination, "mirror/sets/app")
	require.NoError(t, t.Destination.Hook("mirror/sets/app", "update", `case $1 in refs/tags/v7) echo v7 is protected >&2; exit 1;; esac`))
	cycle(t, stack.Producer)
	out := failingCycle(t, stack.Consumer)
	require.Contains(t, out, "1 of 16 refs were refused: \"refs/tags/v7\": not updated: hook declined: v7 is protected")
	require.Contains(t, out, "1 branch new, 14 tags new; all else is as at the source")
	require.Contains(t, failingCycle(t, stack.Consumer), "RefsRefused")
	require.Contains(t, failingCycle(t, stack.Consumer), "Tried ", "it is left alone then")

	require.NoError(t, t.Destination.Hook("mirror/sets/app", "update", ``))
	out, err := t.Starter(t.Context(), stack.Consumer, "retry", set)
	require.NoError(t, err, out)
	require.Contains(t, cycle(t, stack.Consumer), "1 checked, 1 up to date")

	for i := range 12 {
		git("tag", "-d", fmt.Sprint("v", i))
	}
	cycle(t, stack.Producer)
	require.Contains(t, failingCycle(t, stack.Consumer), "of 16 refs that were put there, 12 have gone at the source")
	out, err = t.Destination.Git(t.Context(), "mirror/sets/app", "tag")
	require.NoError(t, err)
	require.Len(t, strings.Fields(out), 15)
}

// An operator lets a set go back to an older object, which is refused otherwise. It takes back what was new, and deletes nothing
// that somebody else has made.
func TestSetGoesBackIfAnOperatorSaysSo(test *testing.T) {
	test.Parallel()
	t := begin(test)
	const repo, set = "back/app", "mirror/back/app@refs/*"
	configure(t, [2]string{repo + "@refs/*", set})
	commit(t, repo+"@main")
	create(t, t.Destination, "mirror/"+repo)
	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)
	first, before := refs(t, t.Source, repo), keys(t, t.bucket)

	commit(t, repo+"@main")
	atSource(t, repo, "tag", "v1", "main")
	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)
	requireSameRefs(t, repo)
	second := refs(t, t.Source, repo)
	for _, key := range keys(t, t.bucket) {
		if !slices.Contains(before, key) {
			require.NoError(t, t.bucket.Delete(t.Context(), key))
		}
	}
	require.Contains(t, failingCycle(t, stack.Consumer), "(ObjectWithheld)")
	require.Equal(t, second, refs(t, t.Destination, "mirror/"+repo))

	_, err := t.Destination.Git(t.Context(), "mirror/"+repo, "tag", "theirs", "main")
	require.NoError(t, err)
	out, err := t.Starter(t.Context(), stack.Consumer, "run", "--allow-rollback", set)
	require.NoError(t, err, out)
	_, err = t.Destination.Git(t.Context(), "mirror/"+repo, "tag", "-d", "theirs")
	require.NoError(t, err)
	require.Equal(t, first, refs(t, t.Destination, "mirror/"+repo))

	require.Contains(t, failingCycle(t, stack.Consumer), "(ObjectWithheld)", "it was allowed for one cycle")
	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)
	requireSameRefs(t, repo)
}
