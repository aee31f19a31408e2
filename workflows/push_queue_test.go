package workflows

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// What was taken makes room for others, whether it was finished or waits again: else a run that goes on would take in less and less.
func TestPushQueueMakesRoom(t *testing.T) {
	t.Parallel()
	p := newPushQueue()
	long := strings.Repeat("x", 200)
	for round := range 3 {
		added := 0
		for p.add(fmt.Sprintf("g/%s@%d-%d", long, round, added)) {
			added++
		}
		require.Greater(t, added, maxQueuedSize/250, "round %d", round)
		require.LessOrEqual(t, added, maxQueued)
		for p.len() > 0 {
			batch := p.take()
			require.NotEmpty(t, batch)
			pause, given := p.finish(batch, batch[:1])
			require.Positive(t, pause)
			require.Zero(t, given)
			require.Equal(t, batch[:1], p.paused)
			p.resume(batch[:1])
			require.Empty(t, p.paused)
			_, given = p.finish(p.take(), nil)
			require.Zero(t, given)
		}
		require.Zero(t, p.size)
		require.Empty(t, p.known)
		require.Empty(t, p.atWork)
		require.Empty(t, p.looks)
	}
}

// What a batch has not come to is looked at again.
func TestWhatABatchHasNotComeTo(t *testing.T) {
	t.Parallel()
	batch := []queued{{identity: project.Branch{Group: "g", Name: "a", Branch: "main"}}, {identity: project.Branch{Group: "g", Name: "b", Branch: "main"}}}
	report := func(r contract.Report) error {
		return temporal.NewApplicationError("some have failed", plan.KindSyncsFailed, r)
	}
	for name, tt := range map[string]struct {
		report contract.Report
		err    error
		want   []queued
		failed int
	}{
		"all is well":                {},
		"its cycle runs already":     {err: serviceerror.NewWorkflowExecutionAlreadyStarted("", "", ""), want: batch},
		"one runs":                   {report: contract.Report{Running: []string{contract.Producer.ChildID(batch[1].identity)}}, want: batch[1:]},
		"more run than are named":    {report: contract.Report{RunningMore: 1}, want: batch},
		"the time was up":            {report: contract.Report{Deferred: 1}, want: batch},
		"not all was looked at":      {report: contract.Report{Unchecked: 1}, want: batch},
		"one fails, for another run": {err: report(contract.Report{Failures: plan.Failures{Failed: []plan.Failure{{}}}, RunningMore: 1}), want: batch, failed: 1},
		"terminated":                 {err: errors.New("terminated"), failed: 1},
	} {
		e := &pushEvents{}
		require.Equal(t, tt.want, e.recordBatch(batch, tt.report, tt.err), name)
		require.Equal(t, tt.failed, e.report.Failed, name)
	}
}
