package command

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// Commands find a destination's run whatever its project and its pattern are called.
func TestDestinationIdentity(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Mirror/App@main":                "mirror/app@main",
		"mirror/app@refs/heads/main":     "mirror/app@main",
		"mirror/app@*":                   "mirror/app@refs/heads/*",
		"mirror/app@release-*":           "mirror/app@refs/heads/release-*",
		"mirror/app@refs/tags/*":         "mirror/app@refs/tags/*",
		"Mirror/App@refs/*":              "mirror/app@refs/*",
		"mirror/app@refs/merge-requests": "mirror/app@refs/merge-requests",
	} {
		require.Equal(t, want, destinationIdentity(text))
	}
}

// Each sync of a plan's report has a state, whichever list it is in.
func TestStatesOfAPlan(t *testing.T) {
	t.Parallel()
	uploaded, moved := before(time.Hour), before(time.Minute)
	there := func(is string, since time.Time) *plan.Ends {
		return &plan.Ends{Is: is, Source: "2", BehindSince: since}
	}
	report := contract.Report{
		InSync: []plan.BranchStatus{
			{Destination: "g/fine@m", Since: uploaded, Ends: there("2", time.Time{})},
			{Destination: "g/waits@m", Since: uploaded, Ends: there("1", moved)}, // it has all that the bucket has
		},
		Behind: []plan.BranchStatus{
			{Destination: "g/behind@m", Since: uploaded, Reason: "at 1", Ends: there("1", moved)},
			{Destination: "g/unknown@m", Since: uploaded, Ends: there("1", time.Time{})},
			{Destination: "g/never@m", Ends: there("", time.Time{})},
			{Destination: "g/left@m", Since: uploaded, NotCatalogued: true, Ends: there("", uploaded)},
			{Destination: "g/old@m", Since: uploaded}, // of a worker that does not tell
		},
		Failures: plan.Failures{Failed: []plan.Failure{{Subject: "g/fails@m", Kind: "K", Reason: "no"}, {Subject: "bucket", Kind: "K"}}},
		Ends:     map[string]*plan.Ends{"g/fails@m": there("1", moved), "g/paused@m": there("1", moved)},
		Paused:   []fleet.Pause{{Destination: "g/paused@m", Reason: "audit"}},
	}
	all := map[string]syncStatus{}
	for _, b := range (roleClient{Role: contract.Consumer}).syncsIn(report) {
		all[b.Destination] = b
		require.Equal(t, b.State == fleet.InSync, b.InSync, b.Destination)
	}
	for destination, want := range map[string]struct {
		state fleet.State
		since time.Time
	}{
		"g/fine@m": {fleet.InSync, uploaded}, "g/waits@m": {fleet.Behind, moved}, "g/behind@m": {fleet.Behind, moved}, "g/unknown@m": {fleet.Behind, time.Time{}},
		"g/never@m": {fleet.Never, time.Time{}}, "g/left@m": {notConfigured, uploaded}, "g/old@m": {fleet.Behind, uploaded},
		"g/fails@m": {fleet.Failing, moved}, "g/paused@m": {fleet.Paused, moved}, "bucket": {fleet.Failing, time.Time{}},
	} {
		require.Equal(t, want.state, all[destination].State, destination)
		require.Equal(t, want.since, all[destination].Since, destination)
		require.Equal(t, destination == "bucket", all[destination].Side, destination)
	}
	require.Len(t, all, 10)
	require.Equal(t, "consume/g/fails@m", all["g/fails@m"].Workflow)
	require.Equal(t, "audit", all["g/paused@m"].Pause.Reason)
	require.Equal(t, "?", all["g/old@m"].isAt())
}

// A sync fails if its last run has, unless a cycle has found it in sync since, or somebody has only cancelled it.
func TestLastRunsCountUntilItIsInSync(t *testing.T) {
	t.Parallel()
	const failed, cancelled = enums.WORKFLOW_EXECUTION_STATUS_FAILED, enums.WORKFLOW_EXECUTION_STATUS_CANCELED
	for name, tt := range map[string]struct {
		state   fleet.State
		status  enums.WorkflowExecutionStatus
		inSync  bool
		want    fleet.State
		unknown bool
	}{
		"failed":                       {fleet.Behind, failed, false, fleet.Failing, false},
		"failed, never arrived":        {fleet.Never, failed, false, fleet.Failing, false},
		"terminated":                   {fleet.Behind, enums.WORKFLOW_EXECUTION_STATUS_TERMINATED, false, fleet.Failing, false},
		"in sync since":                {fleet.Behind, failed, true, fleet.Behind, false},
		"cancelled":                    {fleet.Behind, cancelled, false, fleet.Behind, false},
		"succeeded":                    {fleet.Behind, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, false, fleet.Behind, true},
		"paused is what somebody says": {fleet.Paused, failed, false, fleet.Paused, false},
	} {
		b := syncStatus{State: tt.state}
		b.addLastRun(lastRun{status: tt.status, ended: before(time.Hour), kind: "K", reason: "no"}, tt.inSync)
		require.Equal(t, tt.want, b.State, name)
		require.Equal(t, tt.unknown, b.LastError == "", name)
	}
	var b syncStatus
	b.addLastRun(lastRun{status: enums.WORKFLOW_EXECUTION_STATUS_RUNNING, began: before(time.Minute)}, false)
	require.Equal(t, before(time.Minute), b.AtWorkSince)
}

// What the last cycle remembers of a sync is true as long as that has not moved: it may be behind for longer than a plan knows.
func TestMemoryOfTheLastCycle(t *testing.T) {
	t.Parallel()
	lag := fleet.Lag{Destination: "G/a@m", Since: before(3 * time.Hour), AtLeast: true, Is: "1"}
	for name, tt := range map[string]struct {
		b       syncStatus
		since   time.Time
		atLeast bool
	}{
		"longer":          {syncStatus{Destination: "g/a@m", Since: before(time.Hour), Ends: plan.Ends{Is: "1"}}, lag.Since, true},
		"not known else":  {syncStatus{Destination: "g/a@m", Ends: plan.Ends{Is: "1"}}, lag.Since, true},
		"cannot be read":  {syncStatus{Destination: "g/a@m", Ends: plan.Ends{Unread: true}}, lag.Since, true},
		"moved since":     {syncStatus{Destination: "g/a@m", Since: before(time.Hour), Ends: plan.Ends{Is: "2"}}, before(time.Hour), false},
		"of another":      {syncStatus{Destination: "g/b@m", Ends: plan.Ends{Is: "1"}}, time.Time{}, false},
		"in sync by now":  {syncStatus{Destination: "g/a@m", InSync: true, Ends: plan.Ends{Is: "1"}}, time.Time{}, false},
		"known to be old": {syncStatus{Destination: "g/a@m", Since: before(9 * time.Hour), Ends: plan.Ends{Is: "1"}}, before(9 * time.Hour), false},
	} {
		side := sideStatus{syncs: []syncStatus{tt.b}, cycle: fleet.Cycle{Lags: fleet.Lags{List: []fleet.Lag{lag}}}}
		side.addMemory()
		require.Equal(t, tt.since, side.syncs[0].Since, name)
		require.Equal(t, tt.atLeast, side.syncs[0].AtLeast, name)
	}
}

func TestExitCodeOfStatus(t *testing.T) {
	t.Parallel()
	for want, states := range map[int][]fleet.State{
		0: {fleet.InSync, fleet.Paused, notConfigured}, exitBehind: {fleet.InSync, fleet.Behind}, exitFailing: {fleet.Behind, fleet.Never, fleet.Failing},
	} {
		var syncs []syncStatus
		for _, state := range states {
			syncs = append(syncs, syncStatus{State: state})
		}
		err := exitCodeOf(syncs)
		if want == 0 {
			require.NoError(t, err)
			continue
		}
		require.Equal(t, want, outcomeOf(err).code)
	}
	require.Equal(t, exitBehind, outcomeOf(exitCodeOf([]syncStatus{{State: fleet.Never}})).code)
}
