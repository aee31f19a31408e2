package performance_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

var roles = map[stack.Role]contract.Role{stack.Producer: contract.Producer, stack.Consumer: contract.Consumer}

// worker is a running worker.
type worker struct{ pid int }

func (p worker) cpu(t testing.TB) time.Duration { return rusage.CPU(t, p.pid) }
func (p worker) peak(t testing.TB) int64        { return rusage.PeakMemory(t, p.pid) }

// system runs a cycle of either side, in which so many syncs move, and measures it.
func (w *world) system(moved int) (both map[stack.Role]figures) {
	w.Helper()
	both = map[stack.Role]figures{}
	for _, role := range stack.Roles {
		both[role] = w.cycle(role, moved)
	}
	return both
}

// cycle runs one of a side, without the starter's own start, and measures it.
func (w *world) cycle(role stack.Role, moved int) figures {
	w.Helper()
	by := worker{w.Workers[role].PID()}
	rusage.ResetPeak(w, by.pid)
	var started client.WorkflowRun
	var report contract.Report
	f := w.measure(by, w.WorkDir(role), stack.BucketName, func() {
		var err error
		options := client.StartWorkflowOptions{ID: "measured-cycle", TaskQueue: roles[role].TaskQueue}
		input := contract.CycleInput{Limits: contract.Limits{WaitSeconds: 24 * 60 * 60}}
		started, err = w.Temporal.Clients[role].ExecuteWorkflow(w.Context(), options, roles[role].Parent, input)
		require.NoError(w, err)
		require.NoError(w, started.Get(w.Context(), &report))
	})
	require.Zero(w, report.Count()+report.Deferred+report.Unchecked+report.NotCatalogued+len(report.Running), "%+v", report)
	require.Equal(w, moved, len(report.Synced)+report.SyncedMore, "%s: %+v", role, report)
	f.Cycle = w.readCycle(role, started)
	return f
}

// requireInSync wants every destination, also that of the conventional way, to have what its source has.
func (w *world) requireInSync(conventional bool) {
	w.Helper()
	for i, s := range w.syncs {
		if i%(len(w.syncs)/20+1) > 0 || s.Source.IsSet() { // some of many; git takes a process for each
			continue
		}
		want := w.head(w.Source, s.Source)
		require.Equal(w, want, w.head(w.Destination, s.Destination))
		if conventional {
			require.Equal(w, want, w.head(w.Destination, plain(s)))
		}
	}
}

// median is the middle of some values; 0 of none.
func median[V int | int64 | float64](values []V) (middle V) {
	if len(values) == 0 {
		return middle
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
