package smarthttp_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// Of the refs of one push, those that the server refuses by themselves are told apart from those that go down with them.
func TestPushOfManyRefs(t *testing.T) {
	t.Parallel()
	const many, bad = 2000, 57
	r := newRelay(t)
	require.NoError(t, r.push(t, "", r.base, r.snapshot))
	push := smarthttp.PushRequest{Repo: repo}
	for i := range many {
		push.Updates = append(push.Updates, smarthttp.RefUpdate{Ref: fmt.Sprintf("refs/tags/v%04d", i), New: r.base})
	}
	try := func() error {
		push.Pack, push.PackSize = bytes.NewReader(smarthttp.EmptyPack), int64(len(smarthttp.EmptyPack))
		return r.to.Push(t.Context(), push)
	}
	refuse := func(hook, script string) *smarthttp.RefusedError {
		require.NoError(t, r.destination.Hook(repo, hook, script))
		var refused *smarthttp.RefusedError
		require.ErrorAs(t, try(), &refused)
		require.Len(t, refused.Refused, many)
		require.Empty(t, refsBelow(t, r.to, "refs/tags/"), "all or none")
		require.NoError(t, r.destination.Hook(repo, hook, "exit 0"))
		return refused
	}

	refused := refuse("pre-receive", "cat >/dev/null; echo protected >&2; exit 1")
	for i, refusal := range refused.Refused {
		require.Equal(t, smarthttp.RefRefusal{Ref: push.Updates[i].Ref, Reason: "not updated: pre-receive hook declined"}, refusal)
	}
	require.Equal(t, []string{"protected"}, refused.Messages)

	refused = refuse("update", fmt.Sprintf(`case "$1" in *%04d) exit 1; esac`, bad))
	for i, refusal := range refused.Refused {
		require.Equal(t, push.Updates[i].Ref, refusal.Ref)
		require.Equal(t, i != bad, refusal.ByOthers, refusal)
	}
	require.Equal(t, smarthttp.RefRefusal{Ref: push.Updates[bad].Ref, Reason: "not updated: hook declined"}, refused.First())
	require.True(t, refused.ByHook())
	require.True(t, strings.HasPrefix(refused.Error(), `server refused "refs/tags/v0057": not updated: hook declined`))

	git(t, r.destination, "config", "core.hooksPath", t.TempDir()) // 2,000 runs of a hook take their time
	require.NoError(t, try())
	require.Len(t, refsBelow(t, r.to, "refs/tags/"), many)
}
