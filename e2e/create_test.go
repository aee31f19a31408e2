package e2e_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// Projects that do not exist are created and in sync after one cycle, with two branches at the same time, too. One in
// a group that does not exist fails alone.
func TestMissingProjectsAreCreated(test *testing.T) {
	test.Parallel()
	t := begin(test)
	create(t, t.Destination, "mirror/grown/there") // and its group
	wanted := [][2]string{
		{"grown/there@main", "mirror/grown/there@main"}, {"grown/app@main", "mirror/grown/app@main"}, {"grown/app@next", "mirror/grown/app@next"},
	}
	ungrouped := [2]string{"grown/app@main", "mirror/ungrown/app@main"}
	configure(t, append(wanted, ungrouped)...)
	for _, s := range wanted {
		commit(t, s[0])
	}
	cycle(t, stack.Producer)
	require.Regexp(t, `failed ProjectNotFound, 3 syncs: (.*\n)+ *mirror/grown/app@main\n`, failingCycle(t, stack.Consumer), "nothing is created unasked")
	require.NoDirExists(t, t.Destination.Dir("mirror/grown/app"))

	creating := []string{"CREATE_PROJECTS=true", "ALLOWED_DESTINATIONS=mirror/*"}
	out, err := check(t, stack.Consumer, []string{"starter", "check"}, creating...)
	require.NoError(t, err, out)
	require.Contains(t, out, "mirror/grown/app@main: the project does not exist yet: create it")
	require.NoDirExists(t, t.Destination.Dir("mirror/grown/app"))

	require.NoError(t, t.Workers[stack.Consumer].Stop())
	require.NoError(t, t.StartWorker(t.Context(), stack.Consumer, creating...))
	defer restartWorkers(t)
	out = failingCycle(t, stack.Consumer)
	requireFailed(t, stack.Consumer, consumeID, out, []broken{{ungrouped[1], "ProjectNotCreated", `in the group "mirror/ungrown"`}})
	require.Contains(t, out, "2 synced, 1 failed")

	// The groups, too: two branches at the same time need the same ones.
	deep := [][2]string{ungrouped, {"grown/app@next", "mirror/ungrown/deep/app@next"}, {"grown/app@main", "mirror/ungrown/deep/app@main"}}
	wanted = append(wanted, deep...)
	configure(t, wanted...)
	cycle(t, stack.Producer)
	creating = append(creating, "GITLAB_API=true")
	out, err = check(t, stack.Consumer, []string{"starter", "check"}, creating...)
	require.NoError(t, err, out)
	require.Contains(t, out, `mirror/ungrown/deep/app@next: the project does not exist yet, nor do the groups "mirror/ungrown" to "mirror/ungrown/deep": create it`)
	require.Empty(t, t.Destination.CreatedGroups())
	require.NoError(t, t.Workers[stack.Consumer].Stop())
	require.NoError(t, t.StartWorker(t.Context(), stack.Consumer, creating...))
	require.Contains(t, cycle(t, stack.Consumer), "3 synced", "what was refused before, too")
	require.Len(t, t.Destination.CreatedGroups(), 2)
	requireInSync(t, len(wanted))
}
