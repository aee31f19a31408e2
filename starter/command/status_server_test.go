package command

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func behind(names ...string) (all []plan.BranchStatus) {
	for _, name := range names {
		all = append(all, plan.BranchStatus{
			Destination: name, Reason: "the destination is at 1111111, the bucket at 2222222",
			Ends: &plan.Ends{Is: strings.Repeat("1", 40), Source: strings.Repeat("2", 40), Size: 5_000_000, BehindSince: time.Now().Add(-3 * time.Minute)},
		})
	}
	return all
}

// Of a plan that fails halfway, what is known is shown, and that there may be more: by the exit code, too.
func TestStatusOfAPlanThatFailsHalfway(t *testing.T) {
	t.Parallel()
	c := temporalOf(t, "halfway")
	cycleOf(t, c, func(_ workflow.Context, in contract.CycleInput) (contract.Report, error) {
		if in.From != nil {
			return contract.Report{}, temporal.NewNonRetryableApplicationError("the bucket does not answer", "ServerSilent", nil)
		}
		return contract.Report{Checked: 1, Behind: behind("g/a@main"), Next: &contract.Position{After: 1}}, nil
	}, nil, nil)
	const why = "the plan failed after 1 sync, and others are not shown: "
	p := start(t, "halfway", "status")
	require.Equal(t, exitFailed, p.exit())
	require.Contains(t, p.out.String(), why)
	require.Contains(t, p.out.String(), "the bucket does not answer (ServerSilent)\n")
	require.Contains(t, p.out.String(), "behind  3 min  1111111  2222222  5.0 MB  g/a@main\n")

	p = start(t, "halfway", "status", "-o", "json", "--exit-code")
	require.Equal(t, exitFailed, p.exit(), "that some are behind is not all")
	var syncs []map[string]any
	require.NoError(t, json.Unmarshal([]byte(p.out.String()), &syncs))
	require.Len(t, syncs, 1)
	require.Equal(t, []any{"g/a@main", "behind", false, strings.Repeat("2", 40)}, []any{syncs[0]["destination"], syncs[0]["state"], syncs[0]["in_sync"], syncs[0]["source_commit"]})
	require.Contains(t, p.err.String(), why)

	p = start(t, "halfway", "retry", "--all")
	require.Equal(t, exitFailed, p.exit())
	require.Contains(t, p.err.String(), why, "what is in sync by now is not known")
}

var styles = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

// On a terminal, each look takes the place of the one before; no line is longer than it; Ctrl-C ends it quietly.
func TestStatusIsWatched(t *testing.T) {
	t.Parallel()
	c := temporalOf(t, "watch")
	var looks atomic.Int32
	cycleOf(t, c, func(workflow.Context, contract.CycleInput) (contract.Report, error) {
		r := contract.Report{Checked: 2, InSync: []plan.BranchStatus{{Destination: "g/fine@main", Ends: &plan.Ends{Is: "1", Source: "1"}}}}
		r.Fail(plan.Failure{Subject: "g/a@main", Kind: "GitAuthFailed", Reason: fmt.Sprintf("%d: ", looks.Add(1)) + strings.Repeat("the credentials are refused ", 20)})
		return r, nil
	}, nil, nil)
	p := startAt(t, 80, 24, nil, "watch", "status", "--watch")
	p.await(&p.out, "GitAuthFailed: 1: the")
	p.await(&p.out, "GitAuthFailed: 2: the")
	require.Equal(t, 2, strings.Count(p.out.String(), clearScreen))
	p.interrupt()
	require.Equal(t, 0, p.exit())
	require.NotContains(t, p.out.String(), "interrupted")
	require.Contains(t, p.out.String(), styleBad+"failing"+styleOff)
	for line := range strings.SplitSeq(styles.ReplaceAllString(p.out.String(), ""), "\n") {
		require.LessOrEqual(t, runewidth.StringWidth(strings.TrimSpace(line)), 80, line)
	}
}

// Several are retried at a time, and not more than that.
func TestRetrySeveral(t *testing.T) {
	t.Parallel()
	c := temporalOf(t, "several")
	var names []string
	for i := range maxRetried + 3 {
		names = append(names, fmt.Sprintf("g/%02d@main", i))
	}
	cycleOf(t, c, func(ctx workflow.Context, in contract.CycleInput) (contract.Report, error) {
		if in.DryRun {
			return contract.Report{Checked: len(names), Behind: behind(names...)}, nil
		}
		workflow.GetSignalChannel(ctx, "end").Receive(ctx, nil)
		r := contract.Report{Checked: 1}
		if in.Only[0] == names[0] {
			r.Fail(plan.Failure{Subject: in.Only[0], Kind: "PushRefused", Reason: "the branch is protected\nAllow it."})
			return r, r.Err()
		}
		r.AddSynced(in.Only[0] + ": 1 commit")
		return r, nil
	}, nil, nil)
	p := start(t, "several", "retry", "g/*", "-o", "json", "-v")
	id := func(name string) string { return "consumer-sync-once/" + nameOf([]string{name}) }
	begun := func() (n int) {
		for _, name := range names {
			if _, err := c.DescribeWorkflowExecution(t.Context(), id(name), ""); err == nil {
				n++
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return begun() == maxRetried }, waitLong, waitShort)
	for ended, name := range names {
		require.LessOrEqual(t, begun(), maxRetried+ended)
		require.Eventually(t, func() bool { return c.SignalWorkflow(t.Context(), id(name), "", "end", nil) == nil }, waitLong, waitShort)
		if name != names[0] {
			p.await(&p.err, "synced "+name+": 1 commit\n")
		}
	}
	require.Equal(t, exitFailed, p.exit())
	require.Contains(t, p.err.String(), "failed g/00@main (PushRefused)\n")
	var report contract.Report
	require.NoError(t, json.Unmarshal([]byte(p.out.String()), &report))
	require.Equal(t, []int{len(names), len(names) - 1, 1}, []int{report.Checked, len(report.Synced), len(report.Failed)})
}
