package e2e_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// Who names destinations has these planned and synced, and nothing else.
func TestRunOfSomeDestinations(test *testing.T) {
	test.Parallel()
	t := begin(test)
	configure(t,
		[2]string{"some/a@main", "mirror/some/a@main"}, [2]string{"some/a@next", "mirror/some/a@next"}, [2]string{"some/b@main", "mirror/some/b@main"})
	for _, source := range []string{"some/a@main", "some/a@next", "some/b@main"} {
		commit(t, source)
	}
	create(t, t.Destination, "mirror/some/a", "mirror/some/b")
	starter := func(role stack.Role, args ...string) string {
		out, err := t.Starter(t.Context(), role, args...)
		require.NoError(t, err, out)
		return out
	}
	const one = "mirror/some/a@next"
	for _, role := range []stack.Role{stack.Producer, stack.Consumer} {
		require.Contains(t, starter(role, "plan", one), "1 checked, 0 up to date, 0 synced, 0 failed, 1 planned")
		require.Contains(t, starter(role, "run", one), "1 checked, 0 up to date, 1 synced, 0 failed")
		require.Contains(t, starter(role, "run", "Mirror/some/A@next"), "1 checked, 1 up to date, 0 synced, 0 failed")
	}
	require.Len(t, keys(t, t.bucket), 1)

	for role, reason := range map[stack.Role]string{
		stack.Producer: "mirror/some/nobody@main: no configured sync has this destination",
		stack.Consumer: "mirror/some/nobody@main: the bucket has no object of this destination",
	} {
		out, err := t.Starter(t.Context(), role, "run", one, "mirror/some/nobody@main")
		require.Error(t, err)
		require.Contains(t, out, reason)
		require.Contains(t, out, "2 checked, 1 up to date, 0 synced, 1 failed")
	}
	out, err := t.Starter(t.Context(), stack.Producer, "run", "some/a")
	require.Error(t, err)
	require.Contains(t, out, `"some/a" is not a branch (group/name@branch)`)
}
