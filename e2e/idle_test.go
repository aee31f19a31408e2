package e2e_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// Events of the history of a cycle in which nothing moved: docs/architecture.md.
var idleEvents = map[stack.Role]int{stack.Producer: 11, stack.Consumer: 11}

func TestIdleCycleCostsTheSameForAnyNumberOfSyncs(test *testing.T) {
	test.Parallel()
	for _, n := range []int{1, 20} {
		test.Run(fmt.Sprintf("%d syncs", n), func(test *testing.T) {
			test.Parallel()
			t := begin(test)
			var pairs [][2]string
			commit(t, "idle/app@main")
			create(t, t.Destination, "mirror/idle/app")
			for i := range n {
				pairs = append(pairs, [2]string{"idle/app@main", fmt.Sprintf("mirror/idle/app@%d", i)})
			}
			configure(t, pairs...)
			syncOnce(t)
			syncOnce(t)
			for _, role := range stack.Roles {
				require.Equal(t, idleEvents[role], events(t, role, "measured-cycle"), "%s", role)
			}
		})
	}
}

// events is the length of the history of a workflow's last run.
func events(t sides, role stack.Role, id string) (n int) {
	t.Helper()
	history := t.Temporal.Clients[role].GetWorkflowHistory(t.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		_, err := history.Next()
		require.NoError(t, err)
		n++
	}
	return n
}
