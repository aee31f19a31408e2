package service

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// Push events go by the schedule, or by the cron workflow in its place: nobody wants cycles where there is neither.
func TestReadSchedule(t *testing.T) {
	t.Parallel()
	c := devClient(t, client.ConnectionOptions{})
	const id = "producer-sync"
	p := &activities.Common{Cycles: activities.Cycles{Temporal: c, ID: id}}
	is := func(want activities.Schedule) {
		t.Helper()
		got, err := p.ReadSchedule(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	is(activities.Schedule{})
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "nobody", CronSchedule: "@every 1h"}, "ProducerSync")
	require.NoError(t, err)
	is(activities.Schedule{Runs: true})
	require.NoError(t, c.TerminateWorkflow(t.Context(), id, "", "stopped"))
	is(activities.Schedule{})

	handle, err := c.ScheduleClient().Create(t.Context(), client.ScheduleOptions{ID: id, Action: &client.ScheduleWorkflowAction{
		ID: id, TaskQueue: "nobody", Workflow: "ProducerSync", Args: []any{contract.CycleInput{SearchAttributes: true}},
	}})
	require.NoError(t, err)
	is(activities.Schedule{Runs: true, SearchAttributes: true})
	require.NoError(t, handle.Pause(t.Context(), client.SchedulePauseOptions{}))
	is(activities.Schedule{SearchAttributes: true})
	require.NoError(t, handle.Unpause(t.Context(), client.ScheduleUnpauseOptions{}))
	is(activities.Schedule{Runs: true, SearchAttributes: true})
	c.Close()
	_, err = p.ReadSchedule(t.Context())
	require.Error(t, err, "who does not know starts nothing")
}
