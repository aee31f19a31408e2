package performance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPerformance measures all workloads, in small sizes unless flags say otherwise.
func TestPerformance(t *testing.T) {
	all, err := readReport()
	require.NoError(t, err)
	commit := currentCommit(t)
	ids := map[string]bool{}
	for _, l := range workloads() {
		require.False(t, ids[l.id], l.id)
		ids[l.id] = true
		t.Run(l.id, func(t *testing.T) {
			if !*write { // else nothing else may be at work
				t.Parallel()
			}
			if !chosen(l.id) {
				t.Skip("not chosen by -only")
			}
			before, measured := all.Workloads[l.id]
			if *resume && measured && before.Commit == commit && before.What == l.what && before.Rounds == l.rounds {
				t.Skip("measured already")
			}
			r := &result{What: l.what, Syncs: l.syncs, Rounds: l.rounds, Commit: commit, Machine: thisMachine(t)}
			l.measure(t, r)
			require.NotEmpty(t, r.Ways)
			for _, way := range r.Ways {
				require.Len(t, way.Rounds, l.rounds, way.Way)
				require.Positive(t, way.Rounds[0].Wall)
			}
			t.Log("\n" + r.table(l.id))
			require.NoError(t, record(l.id, *r))
		})
	}
}

// chosen tells whether a workload is among those that are to be measured.
func chosen(id string) bool {
	return *only == "" || slices.Contains(strings.Split(*only, ","), id)
}

// The harness tells what it is to tell of each way: else a figure would be missing from the document after an hour.
func TestFiguresAreWhole(t *testing.T) {
	w := begin(t, far)
	s := w.repository(1_000_000)
	w.reset()
	r := &result{}
	r.Pack = w.firstFloors(r, s)
	r.addBoth(conventional, w.conventional())
	r.addBoth(thisSystem, w.system(1))
	w.requireInSync(true)
	for _, name := range []string{thisSystem, conventional} {
		producer, consumer := r.of(name, "producer")[0], r.of(name, "consumer")[0]
		require.Greater(t, producer.Bytes["from source"], r.Pack, name)
		require.Greater(t, producer.Bytes["to bucket"], r.Pack, name)
		require.Greater(t, consumer.Bytes["from bucket"], r.Pack*9/10, name)
		require.Greater(t, consumer.Bytes["to destination"], r.Pack*9/10, name)
		require.Greater(t, producer.Disk, r.Pack*9/10, name)
		require.Greater(t, consumer.Disk, r.Pack*9/10, name)
		for _, f := range []figures{producer, consumer} {
			require.Positive(t, f.CPU[own], name)
			require.Positive(t, f.CPU[gitPart], name)
			require.Greater(t, f.Peak[own], int64(1<<20), name)
			require.Greater(t, f.Wall, 2*far.Seconds(), name)
		}
		require.Positive(t, producer.Requests["source fetch"], fmt.Sprint(name, producer.Requests))
		require.Positive(t, consumer.Requests["destination push"], fmt.Sprint(name, consumer.Requests))
		require.Positive(t, producer.Requests["bucket PUT object"]+producer.Requests["bucket POST object"], fmt.Sprint(name, producer.Requests))
		require.Positive(t, consumer.Requests["bucket GET object"], fmt.Sprint(name, consumer.Requests))
	}
	cycle := r.of(thisSystem, "producer")[0].Cycle
	for _, step := range []string{"PlanUploads", "Clone", "Package", "Encrypt", "Upload"} {
		require.True(t, cycle.Steps[step] > 0 || slices.Contains(cycle.Local, step), "%s: %+v", step, cycle)
	}
	require.Less(t, r.of(putFloor, "producer")[0].CPU[temporal], 1.0)
}
