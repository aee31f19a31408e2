package activities

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// scheduleOf is a Temporal with one schedule, unless err says that there is none.
type scheduleOf struct {
	Schedules
	every []time.Duration
	err   error
}

func (s scheduleOf) ScheduleClient() client.ScheduleClient { return scheduleClient{of: s} }

type scheduleClient struct {
	client.ScheduleClient
	of scheduleOf
}

func (c scheduleClient) GetHandle(context.Context, string) client.ScheduleHandle {
	return scheduleHandle{scheduleOf: c.of}
}

type scheduleHandle struct {
	client.ScheduleHandle
	scheduleOf
}

func (s scheduleHandle) Describe(context.Context) (*client.ScheduleDescription, error) {
	if s.err != nil {
		return nil, s.err
	}
	spec := &client.ScheduleSpec{}
	for _, every := range s.every {
		spec.Intervals = append(spec.Intervals, client.ScheduleIntervalSpec{Every: every})
	}
	return &client.ScheduleDescription{Schedule: client.Schedule{Spec: spec}}, nil
}

// The consumer is told how often cycles begin by the schedule, whoever has made it: it would take the catalogs of one of hours for
// stale ones. What can be no interval keeps no catalog from being written.
func TestIntervalInTheCatalog(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	for _, tt := range []struct {
		name     string
		schedule scheduleOf
		request  PlanRequest
		want     int
	}{
		{"nobody says it", scheduleOf{err: errors.New("no schedule")}, PlanRequest{}, defaultInterval},
		{"by the schedule", scheduleOf{every: []time.Duration{2 * time.Hour, time.Hour}}, PlanRequest{}, 3600},
		{"by no interval: as before", scheduleOf{}, PlanRequest{}, 3600},
		{"by hand, of some", scheduleOf{every: []time.Duration{time.Minute}}, PlanRequest{Only: []project.Branch{r.sync.Destination}}, 3600},
		{"by the input", scheduleOf{}, PlanRequest{IntervalSeconds: 600}, 600},
		{"changed since", scheduleOf{every: []time.Duration{2 * time.Hour}}, PlanRequest{IntervalSeconds: 600}, 7200},
		{"of a cron", scheduleOf{err: errors.New("no schedule")}, PlanRequest{IntervalSeconds: 600}, 600},
		{"less than nothing", scheduleOf{err: errors.New("no schedule")}, PlanRequest{IntervalSeconds: -5}, 600},
		{"years", scheduleOf{}, PlanRequest{IntervalSeconds: 10 * catalog.MaxInterval}, catalog.MaxInterval},
	} {
		r.producer.Cycles = Cycles{Temporal: tt.schedule}
		page := must(r, r.producer.PlanUploads, tt.request)
		require.Empty(t, page.Failed, tt.name)
		require.Equal(t, tt.want, r.catalogThere().IntervalSeconds, tt.name)
	}
}
