package workflows_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// longest is as long as the name of a destination can be, and in JSON six times that: each < is "\u003c".
func longest(i int) string {
	name := fmt.Sprintf("%s/p%05d@%s", strings.Repeat("a", 248), i, strings.Repeat("<", 250))
	if _, err := project.ParseBranch(name); err != nil {
		panic(err)
	}
	return name
}

func longestLag(i int) fleet.Lag {
	at := time.Date(2026, 3, 14, 10, 32, 11, 123456789, time.UTC)
	return fleet.Lag{Destination: longest(i), Kind: plan.KindRollbackNotUsed, Since: at, AtLeast: true, Failing: at, Met: at, Reported: at, Told: at, Is: strings.Repeat("1", 64), Wanted: strings.Repeat("2", 64)}
}

// fullReport has more than there is room for of everything, in the longest words.
func fullReport() (r contract.Report) {
	size := 0
	for i := range 3000 {
		name := longest(i)
		r.AddSynced(name + strings.Repeat("x", i))
		r.AddRunning(name)
		r.AddPruned(name + strings.Repeat("x", i))
		r.Fail(plan.Failure{Subject: name, Kind: plan.KindRollbackNotUsed, Workflow: contract.Consumer.ParentID + name, Reason: strings.Repeat("語\n", 5000)})
		r.AddPaused([]fleet.Pause{{Destination: name, Reason: strings.Repeat("<", contract.MaxPauseWords), By: strings.Repeat("<", contract.MaxPauseWords), Until: time.Now()}}, 0)
		r.Warn(name)
		r.Lags.Add(longestLag(i))
		branch, _ := project.ParseBranch(name)
		absent := plan.Absent{Destination: branch, Since: time.Now(), Covered: true}
		text, _ := json.Marshal(absent)
		if size += len(text) + 1; size <= 128<<10 { // as plans bound it
			r.Absence.Branches = append(r.Absence.Branches, absent)
		}
	}
	var before fleet.Lags
	for i := range 1000 {
		before.Recovered = append(before.Recovered, longestLag(10_000+i))
	}
	r.Lags.Settle(before, func(string) bool { return true })
	for i := range 1000 {
		r.Lags.Pause(&before, longestLag(20_000+i))
	}
	return r
}

// A schedule hands on the last result together with the last failure. With its own input, they have to stay below 2 MiB.
func TestFullReportsAreBounded(t *testing.T) {
	r := fullReport()
	require.NotEmpty(t, r.Lags.Recovered)
	require.NotEmpty(t, r.Lags.Paused)
	result, err := json.Marshal(r)
	require.NoError(t, err)
	failure := proto.Size(temporal.GetDefaultFailureConverter().ErrorToFailure(r.Err()))
	t.Logf("result %d KiB, failure %d KiB", len(result)>>10, failure>>10)
	require.Greater(t, len(result), 512<<10, "else this is no test")
	require.Less(t, len(result)+failure, 1400<<10)

	goesOn, err := json.Marshal(contract.CycleInput{Continuation: &contract.Continuation{Report: r, Before: r.Lags}})
	require.NoError(t, err)
	require.Less(t, len(goesOn), 1<<20)
}

// A schedule outlives cycles with the largest reports, also when its own history continues as a new one. A server ends a schedule
// that it cannot continue, and nothing would be synced any more.
func TestScheduleOutlivesFullReports(t *testing.T) {
	r := fullReport()
	var ran atomic.Int32
	c := worked(t, newScript(), func(registry workflows.Registry) {
		registry.(worker.Worker).RegisterWorkflowWithOptions(func(workflow.Context) (contract.Report, error) {
			if ran.Add(1)%2 == 0 {
				return r, r.Err()
			}
			return r, nil
		}, workflow.RegisterOptions{Name: "Full"})
	}, "--dynamic-config-value", "limit.historySize.suggestContinueAsNew=2000000")
	schedule, err := c.ScheduleClient().Create(t.Context(), client.ScheduleOptions{
		ID: "full", Spec: client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: time.Second}}},
		Action: &client.ScheduleWorkflowAction{ID: "full", Workflow: "Full", TaskQueue: scriptQueue},
	})
	require.NoError(t, err)
	runOfSchedule := func() string {
		described, err := c.DescribeWorkflowExecution(t.Context(), "temporal-sys-scheduler:full", "")
		require.NoError(t, err)
		return described.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	}
	first := runOfSchedule()
	require.Eventually(t, func() bool { return ran.Load() >= 6 }, 25*time.Second, 100*time.Millisecond, "the schedule starts nothing more")
	_, err = schedule.Describe(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, first, runOfSchedule(), "it has not continued as new")
}
