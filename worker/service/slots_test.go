package service

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/staging"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// used and released are what the SDK says of a slot.
type used struct {
	worker.SlotMarkUsedInfo
	permit *worker.SlotPermit
}

func (u used) Permit() *worker.SlotPermit { return u.permit }

type released struct {
	worker.SlotReleaseInfo
	permit *worker.SlotPermit
}

func (r released) Permit() *worker.SlotPermit { return r.permit }

// A few slow steps do not keep others from starting, but there are only so many.
func TestSlowStepsGiveWay(t *testing.T) {
	s := newSlots(2, time.Hour)
	var held []*worker.SlotPermit
	begin := func() {
		permit := s.TryReserveSlot(nil)
		require.NotNil(t, permit)
		s.MarkSlotUsed(used{permit: permit})
		held = append(held, permit)
	}
	slow := func(permit *worker.SlotPermit) { s.heldSince[permit] = time.Now().Add(-2 * time.Hour) }
	begin()
	begin()
	require.Nil(t, s.TryReserveSlot(nil), "as many as there are")
	for len(held) < slotFactor*2 {
		slow(held[len(held)-1])
		begin()
	}
	for _, permit := range held {
		slow(permit)
	}
	require.Nil(t, s.TryReserveSlot(nil), "a crowd")

	s.ReleaseSlot(released{permit: held[0]})
	waiting := s.TryReserveSlot(nil)
	require.NotNil(t, waiting)
	s.ReleaseSlot(released{permit: waiting})
	require.NotNil(t, s.TryReserveSlot(nil), "what was not used is given back")
}

func TestSlotsAreWaitedFor(t *testing.T) {
	s := newSlots(1, time.Hour)
	permit, err := s.ReserveSlot(t.Context(), nil)
	require.NoError(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.ReserveSlot(ended, nil)
	require.ErrorIs(t, err, context.Canceled)

	next := make(chan error)
	go func() {
		_, err := s.ReserveSlot(t.Context(), nil)
		next <- err
	}()
	s.ReleaseSlot(released{permit: permit})
	require.NoError(t, <-next)

	s = newSlots(1, time.Millisecond)
	permit, err = s.ReserveSlot(t.Context(), nil)
	require.NoError(t, err)
	s.MarkSlotUsed(used{permit: permit})
	_, err = s.ReserveSlot(t.Context(), nil)
	require.NoError(t, err, "the first has become slow")
}

// stuck has a step that does not end before a scan has been made.
type stuck struct{ scanned chan struct{} }

func (s *stuck) Step(ctx context.Context) error {
	select {
	case <-s.scanned:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *stuck) Scan(context.Context) error {
	close(s.scanned)
	return nil
}

// stuckWorkflow fills the only slot for steps, and makes a scan then.
func stuckWorkflow(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	step := workflow.ExecuteActivity(ctx, "Step")
	if err := workflow.Sleep(ctx, 100*time.Millisecond); err != nil {
		return err
	}
	scan := workflow.WithTaskQueue(ctx, contract.ScanQueue(workflow.GetInfo(ctx).TaskQueueName))
	if err := workflow.ExecuteActivity(scan, "Scan").Get(ctx, nil); err != nil {
		return err
	}
	return step.Get(ctx, nil)
}

func TestScansHaveTheirOwnQueue(t *testing.T) {
	t.Parallel()
	c := devClient(t, client.ConnectionOptions{})
	serve(t, c, func(r workflows.Registry) { r.RegisterWorkflow(stuckWorkflow) }, &stuck{make(chan struct{})})
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: "steps"}, stuckWorkflow)
	require.NoError(t, err)
	require.NoError(t, run.Get(t.Context(), nil))
}

// devClient is connected to a development server of the test's own.
func devClient(t *testing.T, connection client.ConnectionOptions) client.Client {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	binaries, err := stack.FindServers(root)
	require.NoError(t, err)
	server, err := testsuite.StartDevServer(t.Context(), testsuite.DevServerOptions{ExistingPath: binaries.Temporal, Stdout: io.Discard, Stderr: io.Discard})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	c, err := client.Dial(client.Options{
		HostPort: server.FrontendHostPort(), ConnectionOptions: connection, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// serve lets a worker serve the queue "steps" until the test ends.
func serve(t *testing.T, c client.Client, workflows func(workflows.Registry), steps any) {
	t.Helper()
	_, stop := serveIn(t, c, t.TempDir(), workflows, steps)
	t.Cleanup(stop)
}

// serveIn is serve in a work directory, until stop is called. Steps for the worker alone come by the queue host.
func serveIn(t *testing.T, c client.Client, workdir string, workflows func(workflows.Registry), steps any) (host string, stop func()) {
	t.Helper()
	m, err := newMetrics("producer", "fedramp")
	require.NoError(t, err)
	area, err := staging.Open(t.Context(), workdir, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	s := &roleWorker{
		metrics: m, log: slog.New(slog.DiscardHandler),
		role: role{
			Common: config.Common{MaxConcurrent: 1, DrainTimeout: 3 * time.Second}, Role: contract.Role{TaskQueue: "steps"},
			workflows: workflows, activities: func(dependencies) any { return steps },
		},
		dependencies: dependencies{Common: activities.Common{Host: "steps/host/" + area.ID(), Staging: area}},
	}
	ctx, end := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- s.serve(ctx, c, &health{}) }()
	return s.Host, func() {
		end()
		require.NoError(t, <-served)
		require.NoError(t, area.Close())
	}
}
