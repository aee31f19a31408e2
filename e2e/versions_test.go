package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// Either side may be upgraded before the other, and set back: whichever version's object is the newest, the other one reads
// it, builds on it, and replaces it. "make versions" builds the other one.
func TestOtherVersion(test *testing.T) {
	test.Parallel()
	t := begin(test)
	needOther(t)
	for _, signed := range []bool{true, false} {
		t.run(fmt.Sprintf("signed=%t", signed), func(t sides) {
			emptyBucket(t)
			m := &mixed{sides: t, repo: fmt.Sprintf("versions/%t", signed), ours: binDir, other: *other, unsigned: !signed}
			generate(t, m.repo, 2_000_000) // so large that no update makes a new snapshot due
			m.stage("other producer, our consumer", m.other, m.ours)
			m.stage("our producer, other consumer", m.ours, m.other)
			m.stage("other producer, our consumer, again", m.other, m.ours)
			m.stage("both ours", m.ours, m.ours)
			m.stage("both other", m.other, m.other)
			m.prunes(m.ours, m.other)
			m.prunes(m.other, m.ours)
		})
	}
}

// A schedule that one version has made goes on with the other, and so does its memory of what has left the configuration.
func TestOtherVersionsSchedule(test *testing.T) {
	test.Parallel()
	t := begin(test)
	needOther(t)
	m := &mixed{sides: t, repo: "versions/scheduled", ours: binDir, other: *other}
	create(t, t.Source, m.repo)
	create(t, t.Destination, "mirror/"+m.repo)
	m.commit()
	m.git("branch", "other", "main")
	m.configure("main", "other")
	run := func(version string) {
		m.run(map[stack.Role]string{stack.Producer: version, stack.Consumer: version}, "PRUNE_AFTER=1h")
	}
	run(m.other)
	var since time.Time
	schedules := map[stack.Role]client.ScheduleHandle{}
	for _, role := range stack.Roles {
		cycle(t, role)
		schedules[role] = schedule(t, role, "1s")
	}
	m.configure("main")
	for _, version := range []string{m.other, m.ours, m.other} {
		for _, role := range stack.Roles {
			starter(t, role, "schedule", "pause")
			awaitCycles(t, schedules[role], 1)
		}
		run(version)
		for _, role := range stack.Roles {
			starter(t, role, "schedule", "unpause")
		}
		m.commit()
		awaitHead(t, "mirror/"+m.repo+"@main", m.git("rev-parse", "main"))
		report := lastReport(t, schedules[stack.Producer])
		require.Len(t, report.Absence.Branches, 1)
		if since.IsZero() {
			since = report.Absence.Branches[0].Since
		}
		require.Equal(t, since, report.Absence.Branches[0].Since)
	}
}

// lastReport is that of the last cycle that a schedule has started, when it has ended.
func lastReport(t sides, h client.ScheduleHandle) (report contract.Report) {
	t.Helper()
	d, err := h.Describe(t.Context())
	require.NoError(t, err)
	last := d.Info.RecentActions[len(d.Info.RecentActions)-1].StartWorkflowResult
	require.NoError(t, t.Temporal.Clients[stack.Producer].GetWorkflow(t.Context(), last.WorkflowID, last.FirstExecutionRunID).Get(t.Context(), &report))
	return report
}

// stage lets a branch move in all ways. What it has in the bucket from the stage before is built on.
func (m *mixed) stage(name, producer, consumer string) {
	m.Log(name)
	versions := map[stack.Role]string{stack.Producer: producer, stack.Consumer: consumer}
	m.run(versions)
	cycles := func(want string) {
		m.Helper()
		for _, role := range stack.Roles {
			m.use(versions[role])
			out := cycle(m.sides, role)
			require.Contains(m, out, want, "%s: %s", name, out)
			m.Log(strings.TrimSpace(out))
		}
		requireInSync(m.sides, 1)
	}
	const moved, idle = "1 checked, 0 up to date, 1 synced, 0 failed", "1 checked, 1 up to date, 0 synced, 0 failed"
	if first := m.newest().Commit == ""; first {
		cycles(moved)
	}
	cycles(idle) // with what the other version has left
	for _, commits := range []int{1, 50} {
		for range commits {
			m.commit()
		}
		cycles(moved)
		require.NotEmpty(m, m.newest().Base, "the chain was begun anew")
	}
	m.git("update-ref", "refs/heads/main", "main~3")
	m.commit()
	cycles(moved)
	require.NotEmpty(m, m.newest().Base, "the chain was begun anew")
	cycles(idle)
	m.requireRefs()
}

// prunes has one version upload a branch, and the other delete it when its sync has gone.
func (m *mixed) prunes(uploads, prunes string) {
	m.git("update-ref", "refs/heads/other", "main")
	m.configure("main", "other")
	m.run(map[stack.Role]string{stack.Producer: uploads, stack.Consumer: m.ours})
	require.Contains(m, cycle(m.sides, stack.Producer), "1 synced, 0 failed")
	b, err := m.Bucket(m.Context(), stack.Consumer)
	require.NoError(m, err)
	gone := chainsOf(m.sides, b)[branch("mirror/"+m.repo+"@other")].Newest()

	m.configure("main")
	m.run(map[stack.Role]string{stack.Producer: prunes, stack.Consumer: m.ours})
	require.Contains(m, cycle(m.sides, stack.Producer), "deleted "+gone.Key+"\n")
	require.NotContains(m, keys(m.sides, b), gone.Key)
	cycle(m.sides, stack.Consumer)
	requireInSync(m.sides, 1)
}
