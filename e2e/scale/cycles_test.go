package scale_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

var roles = map[stack.Role]contract.Role{stack.Producer: contract.Producer, stack.Consumer: contract.Consumer}

// cycles runs cycles of both sides and measures them.
type cycles struct {
	testing.TB
	clients map[stack.Role]client.Client
	meter   meter
	syncs   int
	inSync  func() int // how many syncs are
}

// start begins a cycle of a side that waits for all of its children, as one by hand does.
func (c cycles) start(role stack.Role, id string, limits contract.Limits) client.WorkflowRun {
	c.Helper()
	limits.WaitSeconds = 24 * 60 * 60
	options := client.StartWorkflowOptions{ID: id, TaskQueue: roles[role].TaskQueue}
	started, err := c.clients[role].ExecuteWorkflow(c.Context(), options, roles[role].Parent, contract.CycleInput{Limits: limits})
	require.NoError(c, err)
	return started
}

// once runs a cycle of a side in which so many syncs move, and nothing else happens.
func (c cycles) once(role stack.Role, moved int, limits contract.Limits) {
	c.Helper()
	var r contract.Report
	require.NoError(c, c.start(role, "measured-cycle", limits).Get(c.Context(), &r))
	require.Zero(c, r.Count()+r.Deferred+r.Unchecked+r.NotCatalogued+len(r.Running), "%+v", r)
	require.Equal(c, moved, len(r.Synced)+r.SyncedMore, "%s: %+v", role, r)
	require.Equal(c, c.syncs, r.Checked)
}

// both runs a cycle of either side and records what they take. All that has moved must be at its destination afterwards.
func (c cycles) both(name string, moved int, limits contract.Limits) (both map[stack.Role]figures, runs []execution) {
	c.Helper()
	both = map[stack.Role]figures{}
	for _, role := range stack.Roles {
		since := time.Now()
		f := c.meter.measure(c, func() { c.once(role, moved, limits) })
		var read []execution
		f.Histories, read = runsSince(c, c.clients[role], since, moved+1)
		f.Cycle, f.Syncs, f.Moved = fmt.Sprintf("%s, %s", role, name), c.syncs, moved
		record(c, f)
		f.requireSmall(c)
		runs = append(runs, read...)
		both[role] = f
	}
	require.Equal(c, c.syncs, c.inSync())
	return both, runs
}

// idleEvents is how long the history of a cycle is in which nothing has moved, on either side.
const idleEvents = 11

// requireIdle wants cycles in which nothing has moved to take what they have to: the same history whatever the number of syncs, of
// the Git server a look at each project, and of the bucket a listing.
func (c cycles) requireIdle(idle map[stack.Role]figures, looks int) {
	c.Helper()
	servers := map[stack.Role]string{stack.Producer: "source", stack.Consumer: "destination"}
	for role, f := range idle {
		cycle := f.Workflows[roles[role].Parent]
		require.Equal(c, 1, cycle.Runs, "%s", role)
		require.Equal(c, idleEvents, cycle.Events.Max, "%s", role)
		asked := 0
		for _, n := range f.Requests[servers[role]] {
			asked += n
		}
		require.Equal(c, looks*c.syncs, asked, "%s: %v", role, f.Requests)
		require.LessOrEqual(c, f.Requests["bucket"]["LIST"], 2+c.syncs/1000, "%s: %v", role, f.Requests)
	}
}

// four runs the cycles that are measured: the first, idle ones, and ones in which some or all syncs have moved. Move moves the first n.
func (c cycles) four(limits contract.Limits, looks int, move func(n, number int)) {
	c.Helper()
	c.both("first", c.syncs, limits)
	c.both("second", 0, limits) // in which the producer's catalog comes to rest
	idle, _ := c.both("idle", 0, limits)
	c.requireIdle(idle, looks)
	few := (c.syncs + 99) / 100
	move(few, 1)
	c.both("1 % moved", few, limits)
	move(c.syncs, 2)
	c.both("all moved", c.syncs, limits)
}
