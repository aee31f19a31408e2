package command

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v3"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// running is a Temporal with some workflows and schedules.
type running struct {
	client.Client
	workflows, schedules ids
}

type ids map[string]bool

func (all ids) end(id string) error {
	if !all[id] {
		return serviceerror.NewNotFound("no " + id)
	}
	delete(all, id)
	return nil
}

func (r running) TerminateWorkflow(_ context.Context, id, _, _ string, _ ...any) error {
	return r.workflows.end(id)
}

func (r running) ScheduleClient() client.ScheduleClient { return scheduleClient{all: r.schedules} }

type scheduleClient struct {
	client.ScheduleClient
	all ids
}

func (c scheduleClient) GetHandle(_ context.Context, id string) client.ScheduleHandle {
	return scheduleHandle{all: c.all, id: id}
}

type scheduleHandle struct {
	client.ScheduleHandle
	all ids
	id  string
}

func (h scheduleHandle) Delete(context.Context) error { return h.all.end(h.id) }

// The poll ends with the schedule or cron that it runs beside, and not because somebody has said the other's command.
func TestPollEndsWithItsCycles(t *testing.T) {
	t.Parallel()
	const cycles, poll = "consumer-sync", "consumer-poll"
	remove := func(ctx context.Context, c *cli.Command, s roleClient) error {
		return deleteSchedule(ctx, s, s.ScheduleClient().GetHandle(ctx, cycles), c)
	}
	for name, tt := range map[string]struct {
		do       func(context.Context, *cli.Command, roleClient) error
		cron     bool
		schedule bool
		kept     bool
	}{
		"cron stop":                   {do: stopCron, cron: true},
		"cron stop with a schedule":   {do: stopCron, schedule: true, kept: true},
		"schedule delete":             {do: remove, schedule: true},
		"schedule delete with a cron": {do: remove, cron: true, kept: true},
	} {
		r := running{workflows: ids{poll: true}, schedules: ids{}}
		if tt.cron {
			r.workflows[cycles] = true
		}
		if tt.schedule {
			r.schedules[cycles] = true
		}
		err := tt.do(t.Context(), nil, roleClient{Client: r, Role: contract.Consumer})
		require.Equal(t, tt.kept, err != nil, "%s: %v", name, err)
		require.Equal(t, tt.kept, r.workflows[poll], name)
		require.Equal(t, tt.kept, r.workflows[cycles] || r.schedules[cycles], name)
	}
}
