package workflows_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// memory is a bucket in which each cycle finds another destination absent. Every second cycle fails.
type memory struct {
	*script
	cycles     int
	remembered chan plan.Absence // by each cycle
}

func (m *memory) PlanUploads(_ context.Context, r activities.PlanRequest) (plan.Page[plan.Upload], error) {
	page := scriptedPage(r, func(name string) plan.Upload { return uploadOf("ok") })
	if r.After > 0 {
		return page, nil
	}
	m.remembered <- r.Absence
	m.cycles++
	page.Orphans.Absence = absence(fmt.Sprintf("cycle-%d", m.cycles))
	if m.cycles%2 == 0 {
		page.Fail(plan.Failure{Subject: "bucket", Kind: plan.KindPruneRefused, Reason: "too many"})
	}
	return page, nil
}

func (m *memory) Prune(_ context.Context, request activities.PruneRequest) (activities.Pruned, error) {
	return activities.Pruned{Absence: request.Absence}, nil
}

// everySecond has a real server start cycles, in each of the ways in which it hands something over to the next.
var everySecond = map[string]func(context.Context, client.Client, contract.Role, contract.CycleInput) error{
	"schedule": func(ctx context.Context, c client.Client, role contract.Role, in contract.CycleInput) error {
		_, err := c.ScheduleClient().Create(ctx, client.ScheduleOptions{
			ID:      "schedule",
			Spec:    client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: time.Second}}},
			Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
			Action:  &client.ScheduleWorkflowAction{ID: "schedule", TaskQueue: scriptQueue, Workflow: role.Parent, Args: []any{in}},
		})
		return err
	},
	"cron": func(ctx context.Context, c client.Client, role contract.Role, in contract.CycleInput) error {
		options := client.StartWorkflowOptions{ID: "cron", TaskQueue: scriptQueue, CronSchedule: "@every 1s"}
		_, err := c.ExecuteWorkflow(ctx, options, role.Parent, in)
		return err
	},
}

// A real server hands over what the cycle before has found, by schedule and by cron, after a success and after
// a failure; a schedule also when that cycle took more than one run. A cron goes on where there is more
// than one page.
func TestAbsenceIsHandedOver(t *testing.T) {
	t.Parallel()
	paged := contract.CycleInput{Limits: contract.Limits{PageSize: 1}}
	for name, start := range everySecond {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &memory{script: newScript(), remembered: make(chan plan.Absence, 1000)}
			require.NoError(t, start(t.Context(), scripted(t, m), contract.Producer, paged))
			for cycle := range 5 {
				want := plan.Absence{}
				if cycle > 0 {
					want = absence(fmt.Sprintf("cycle-%d", cycle))
				}
				select {
				case got := <-m.remembered:
					require.Equal(t, want, got)
				case <-time.After(time.Minute):
					require.Fail(t, "no more cycles", "after %d", cycle)
				}
			}
		})
	}
}
